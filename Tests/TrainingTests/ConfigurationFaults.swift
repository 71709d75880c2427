import Training

/// What every configuration must name.
let requiredConfiguration = """
    base: {path: base}
    data: {path: pairs}
    output: {folder: out}

    """

/// The lines that a text and its overrides are refused with.
func configurationFaults(_ text: String, _ overrides: [String] = []) -> [String] {
    do {
        _ = try RunConfiguration.parse(text, file: "run.yaml", overrides: overrides)
        return []
    } catch {
        return ((error as? ConfigurationError)?.description ?? "other: \(error)").split(separator: "\n").map(
            String.init)
    }
}
