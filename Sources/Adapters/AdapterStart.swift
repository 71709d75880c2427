import Autograd
import TensorCore
public import TensorIO

/// Trained adapters that training can begin with in the place of fresh ones: those of a file, or of another run.
public struct AdapterStart {
    /// Where they come from.
    public let path: String
    /// What of the file is not used, one sentence each.
    public let notices: [String]
    let layers: [AdaptedLayer]

    /// Takes those of a file in any layout, read for the model that is to be trained.
    public init(_ file: AdapterFile) { (path, notices, layers) = (file.path, file.notices, file.layers) }

    /// Takes those of a run: its parameters, named as ``AdapterSet/parameters`` names them, and what it trained.
    ///
    /// Throws ``FileError`` when a layer's parameters are not complete or do not fit the configuration.
    public init(parameters archive: any TensorArchive, configuration: AdapterConfiguration) throws {
        path = archive.path
        notices = []
        layers = try AdaptedLayer.all(in: archive, configuration)
    }
}

/// Everything by which adapters to begin with differ from those that are to be trained.
public struct AdapterStartError: Error, Equatable, Sendable {
    /// What decides a property of the adapters.
    public enum Setting: Sendable {
        case loraRank, loraAlpha, loraTargets, moeRank, moeAlpha, moeTargets, experts, routerInput

        /// Whether it is a scale.
        var isAlpha: Bool { [.loraAlpha, .moeAlpha].contains(self) }
    }

    /// One difference.
    public struct Fault: Equatable, Sendable {
        /// The setting that could follow the file.
        public var setting: Setting
        /// What the start has.
        public var expected: String
        /// What is to be trained.
        public var found: String
        /// Where, in a few words.
        public var layers: String
    }

    /// Where the adapters lie.
    public let path: String
    /// The differences, by setting.
    public let faults: [Fault]
}

extension AdapterSet {
    /// What beginning with trained weights came to.
    public struct Beginning: Sendable {
        /// The layers that the start does not have, whose adapters stay fresh.
        public var freshLayers: [String]
        /// The alphas of the start that are not those of these adapters, whose ways up were scaled so that the outputs are the
        /// start's.
        public var scaled: [AdapterStartError.Fault]
        /// How mixtures of the start choose experts, where that is not how these do: the first outputs differ by that although
        /// every weight is its own.
        public var otherRouting: [RoutingOptions]
    }

    /// Replaces the weights of these adapters by those of `start`, after which they add to the model exactly what those do,
    /// and fresh ones nothing.
    ///
    /// Plain LoRAs go into plain LoRAs, mixtures into mixtures; where an alpha differs the ways up are scaled to the same
    /// outputs. Throws ``AdapterStartError`` with every difference in rank, experts, router and layers, ``FileError`` for weights of a model of other extents; nothing has changed then.
    /// How many experts are chosen and how they are weighed may differ, which the result says.
    public func begin(with start: AdapterStart) throws -> Beginning {
        let members = Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.adapter) })
        var comparison = StartComparison()
        for layer in start.layers {
            guard let member = members[layer.name] else {
                comparison.untargeted(layer)
                continue
            }
            comparison.compare(layer, with: member)
        }
        let faults = comparison.faults.filter { !$0.setting.isAlpha }
        if !faults.isEmpty { throw AdapterStartError(path: start.path, faults: faults) }
        var replacements: [(Parameter, Tensor)] = []
        for layer in start.layers {
            for (parameter, tensor) in members[layer.name]?.pairs(with: layer.weights) ?? [] {
                guard parameter.value.shape == tensor.shape else {
                    throw FileError(
                        start.path, key: printable(layer.name),
                        expected: "weights of shape \(parameter.value.shape) for this model", found: "\(tensor.shape)")
                }
                replacements.append((parameter, tensor))
            }
        }
        for (parameter, tensor) in replacements { parameter.replace(tensor.copied()) }
        let covered = Set(start.layers.map(\.name))
        return Beginning(
            freshLayers: self.members.map(\.name).filter { !covered.contains($0) },
            scaled: comparison.faults.filter(\.setting.isAlpha),
            otherRouting: comparison.otherRouting)
    }
}

extension AdapterSet.Adapter {
    /// Its parameters with the tensors of `weights` that belong there; both are of one kind.
    fileprivate func pairs(with weights: AdapterWeights) -> [(Parameter, Tensor)] {
        switch (self, weights) {
        case (.lora(let lora), .lora(let a, let b, let alpha)):
            return [(lora.a, a), (lora.b, alpha == lora.alpha ? b : b * (alpha / lora.alpha))]
        case (.mixture(let mixture), .mixture(let a, let b, let route, let pooledRoute, let alpha, _)):
            let pooled = mixture.router.pooledWeight.flatMap { weight in pooledRoute.map { [(weight, $0)] } } ?? []
            let scaled = alpha == mixture.alpha ? b : b * (alpha / mixture.alpha)
            return [(mixture.a, a), (mixture.b, scaled), (mixture.router.weight, route)] + pooled
        default: preconditionFailure("a plain LoRA and a mixture")
        }
    }
}

/// Collects by what layers of a start differ from the adapters that are there.
private struct StartComparison {
    private typealias Setting = AdapterStartError.Setting

    /// The layers by setting, by what they have and by what is found.
    private var differences: [(setting: Setting, has: String, found: String, layers: [String])] = []

    mutating func untargeted(_ layer: AdaptedLayer) {
        if case .mixture = layer.weights {
            add(.moeTargets, "a pattern for each mixture", "none", layer.name)
        } else {
            add(.loraTargets, "a pattern for each LoRA", "none", layer.name)
        }
    }

    mutating func compare(_ layer: AdaptedLayer, with member: AdapterSet.Adapter) {
        switch (member, layer.weights) {
        case (.lora(let lora), .lora(let a, _, let alpha)):
            add(.loraRank, a.shape[0], lora.a.value.shape[0], layer.name)
            add(.loraAlpha, alpha, lora.alpha, layer.name)
        case (.mixture(let mixture), .mixture(let a, _, let route, let pooledRoute, let alpha, let options)):
            let (experts, found) = (route.shape[0], mixture.router.weight.value.shape[0])
            add(.experts, experts, found, layer.name)
            add(.moeRank, a.shape[0] / max(1, experts), mixture.rank, layer.name)
            add(.moeAlpha, alpha, mixture.alpha, layer.name)
            let inputs = [pooledRoute != nil, mixture.router.pooledWeight != nil].map {
                ($0 ? RouterInput.tokenAndPooledText : .token).settingName
            }
            add(.routerInput, inputs[0], inputs[1], layer.name)
            if !options.chooses(as: mixture.router.options), !otherRouting.contains(options) {
                otherRouting.append(options)
            }
        case (.lora, .mixture): add(.moeTargets, "a mixture", "a plain LoRA", layer.name)
        case (.mixture, .lora): add(.moeTargets, "a plain LoRA", "a mixture", layer.name)
        }
    }

    private(set) var otherRouting: [RoutingOptions] = []

    private mutating func add<Value: Equatable>(_ setting: Setting, _ has: Value, _ found: Value, _ layer: String) {
        if has == found { return }
        let (has, found) = ("\(has)", "\(found)")
        if let place = differences.firstIndex(where: { ($0.setting, $0.has, $0.found) == (setting, has, found) }) {
            differences[place].layers.append(layer)
        } else {
            differences.append((setting, has, found, [layer]))
        }
    }

    var faults: [AdapterStartError.Fault] {
        differences.map {
            .init(setting: $0.setting, expected: $0.has, found: $0.found, layers: layerGroups($0.layers))
        }
    }
}

extension RoutingOptions {
    /// Whether both give the same experts the same weights.
    fileprivate func chooses(as other: RoutingOptions) -> Bool {
        // By the other gate the weights sum to 1 anyway.
        let sums = gate == .softmaxAfterTopK || renormalizesWeights == other.renormalizesWeights
        return topK == other.topK && gate == other.gate && sums
    }
}

/// Names of layers in a few words: those that differ in the number of their block alone are one, `blocks.*.attn.to_q (19 layers)`.
package func layerGroups(_ names: [String], atMost limit: Int = 6) -> String {
    var groups: [(name: String, names: [String])] = []
    for name in names {
        var parts = name.split(separator: ".").map(String.init)
        // The number of a block; those behind it, as in `to_out.0`, are parts of its layers' names.
        if let block = parts.firstIndex(where: { Int($0) != nil }) { parts[block] = "*" }
        let group = parts.joined(separator: ".")
        if let place = groups.firstIndex(where: { $0.name == group }) {
            groups[place].names.append(name)
        } else {
            groups.append((group, [name]))
        }
    }
    let shown = groups.prefix(limit).map { $0.names.count == 1 ? $0.names[0] : "\($0.name) (\($0.names.count) layers)" }
    let rest = groups.dropFirst(limit).reduce(0) { $0 + $1.names.count }
    return shown.map { printable($0) }.joined(separator: ", ") + (rest > 0 ? " and \(rest) more layers" : "")
}
