import TensorIO

/// Which layers a configuration means.
struct AdapterTargets {
    /// The method of every layer that is meant; where several rules match, that of the last.
    private(set) var methods: [String: any AdapterMethod] = [:]

    /// Matches the patterns with the names of all linear layers. Throws
    /// ``AdapterError/unmatched(method:pattern:layers:nearest:)`` for a pattern that matches none.
    init(_ configuration: AdapterConfiguration, layers: [String]) throws {
        for rule in configuration.rules {
            for target in rule.targets {
                let pattern = try LayerPattern(target)
                let matches = pattern.matches(in: layers)
                if matches.isEmpty {
                    throw AdapterError.unmatched(
                        method: type(of: rule.method).name, pattern: target, layers: layers.count,
                        nearest: nearestName(to: pattern.example, among: layers))
                }
                for name in matches { methods[name] = rule.method }
            }
        }
    }
}
