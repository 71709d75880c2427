import TensorIO

/// Which layers a configuration means.
struct AdapterTargets {
    /// For every layer that is meant, whether it gets a mixture; where both lists match it does.
    private(set) var isMixture: [String: Bool] = [:]

    /// Matches the patterns with the names of all linear layers. Throws ``AdapterError/unmatched(list:pattern:layers:nearest:)``
    /// for a pattern that matches none.
    init(_ configuration: AdapterConfiguration, layers: [String]) throws {
        for (list, targets, mixes) in [
            ("loraTargets", configuration.loraTargets, false), ("moeTargets", configuration.moeTargets, true),
        ] {
            for target in targets {
                let pattern = try LayerPattern(target)
                let matches = pattern.matches(in: layers)
                if matches.isEmpty {
                    throw AdapterError.unmatched(
                        list: list, pattern: target, layers: layers.count,
                        nearest: nearestName(to: pattern.example, among: layers))
                }
                for name in matches { isMixture[name] = mixes || isMixture[name] == true }
            }
        }
    }
}
