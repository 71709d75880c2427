import Autograd
import NeuralNet
import TensorCore
public import TensorIO

/// Trained adapters that training can begin with in the place of fresh ones: those of a file, or of another run.
public struct AdapterStart {
    /// Where they come from.
    public let path: String
    /// What of the file is not used, one sentence each.
    public let notices: [String]
    let layers: [AdaptedLayer]

    /// Takes those of a file in any format, read for the model that is to be trained.
    public init(_ file: AdapterFile) { (path, notices, layers) = (file.path, file.notices, file.layers) }

    /// Takes those of a run: its parameters, named as ``AdapterSet/parameters`` names them, and what it trained.
    ///
    /// Throws `FileError` when a layer's parameters are not complete or do not fit the configuration.
    public init(parameters archive: any TensorArchive, configuration: AdapterConfiguration) throws {
        path = archive.path
        notices = []
        layers = try AdaptedLayer.all(in: archive, configuration)
    }
}

/// Everything by which adapters to begin with differ from those that are to be trained.
public struct AdapterStartError: Error, Equatable, Sendable {
    /// One difference.
    public struct Fault: Equatable, Sendable {
        /// The method whose setting could follow the start (``AdapterMethod/name``).
        public var method: String
        /// The setting's key in the method's section: `rank`, `targets`.
        public var setting: String
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
        /// The alphas of the start that are not those of these adapters, whose weights were scaled so that the outputs are the
        /// start's.
        public var scaled: [AdapterStartError.Fault]
        /// What of the start decides its outputs besides its weights and is not so here, in words of the configuration: the
        /// first outputs differ by that although every weight is the start's.
        public var otherBehaviours: [String]
    }

    /// Replaces the weights of these adapters by those of `start`, after which they add to the model exactly what those do,
    /// and fresh ones nothing.
    ///
    /// Adapters go into adapters of their method; where an alpha differs the weights are scaled to the same outputs. Throws
    /// ``AdapterStartError`` with every other difference in hyperparameters and layers, `FileError` for weights of a model
    /// of other extents; nothing has changed then. How many experts are chosen and how they are weighed may differ, which the
    /// result says.
    public func begin(with start: AdapterStart) throws -> Beginning {
        let members = Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.adapter) })
        var comparison = StartComparison()
        for layer in start.layers { comparison.compare(layer, with: members[layer.name]?.method) }
        if !comparison.faults.isEmpty { throw AdapterStartError(path: start.path, faults: comparison.faults) }
        var replacements: [(Parameter, Tensor)] = []
        for layer in start.layers {
            guard let member = members[layer.name] else { continue }
            let tensors = member.method.taking(layer.weights)
            for (name, parameter) in member.namedParameters() {
                guard let tensor = tensors[name] else {
                    throw FileError(
                        start.path, key: printable(layer.name), expected: "a tensor '\(name)' for this model",
                        found: tensors.keys.sorted().joined(separator: ", "))
                }
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
            freshLayers: self.members.map(\.name).filter { !covered.contains($0) }, scaled: comparison.scaled,
            otherBehaviours: comparison.otherBehaviours)
    }
}

extension AdapterMethod {
    /// The tensors of adapters of the same method, scaled to this one's hyperparameters.
    fileprivate func taking(_ weights: AdapterWeights) -> [String: Tensor] {
        guard let start = weights.method as? Self else { preconditionFailure("\(weights.method) for \(self)") }
        return tensors(weights.tensors, of: start)
    }

    /// By what these hyperparameters differ from those of a start; nil where it is of another method.
    fileprivate func comparison(
        with start: any AdapterMethod
    ) -> (differences: [AdapterDifference], behaviour: String?)? {
        (start as? Self).map { (differences(from: $0), otherBehaviour(of: $0)) }
    }
}

/// Collects by what layers of a start differ from the adapters that are there.
private struct StartComparison {
    /// The layers by what they have and what is found.
    private var groups: [(method: String, difference: AdapterDifference, layers: [String])] = []
    private(set) var otherBehaviours: [String] = []

    /// Compares a layer of the start with the method that is trained there, if any.
    mutating func compare(_ layer: AdaptedLayer, with method: (any AdapterMethod)?) {
        let start = type(of: layer.weights.method)
        guard let method else {
            return add(start.name, AdapterDifference("targets", "a pattern for each \(start.noun)", "none"), layer.name)
        }
        guard let (differences, behaviour) = method.comparison(with: layer.weights.method) else {
            // The targets of the later method decide.
            let here = type(of: method)
            let later = AdapterMethods.place(of: start) > AdapterMethods.place(of: here) ? start : here
            return add(later.name, AdapterDifference("targets", start.title, here.title), layer.name)
        }
        for difference in differences { add(start.name, difference, layer.name) }
        if let behaviour, !otherBehaviours.contains(behaviour) { otherBehaviours.append(behaviour) }
    }

    private mutating func add(_ method: String, _ difference: AdapterDifference?, _ layer: String) {
        guard let difference else { return }
        let place = groups.firstIndex {
            $0.method == method && $0.difference.key == difference.key
                && $0.difference.expected == difference.expected && $0.difference.found == difference.found
        }
        if let place {
            groups[place].layers.append(layer)
        } else {
            groups.append((method, difference, [layer]))
        }
    }

    /// What cannot be mended.
    var faults: [AdapterStartError.Fault] { faults(areScales: false) }
    /// What scaling the weights mends.
    var scaled: [AdapterStartError.Fault] { faults(areScales: true) }

    private func faults(areScales: Bool) -> [AdapterStartError.Fault] {
        groups.filter { $0.difference.isScale == areScales }.map {
            .init(
                method: $0.method, setting: $0.difference.key, expected: $0.difference.expected,
                found: $0.difference.found, layers: layerGroups($0.layers))
        }
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
