public import Autograd
public import NeuralNet
import TensorCore

/// All adapters of one model: put in together, trained together, scaled together, taken out together.
///
/// ```swift
/// let adapters = try AdapterSet(injecting: .iceditMoE, into: transformer, seed: 42)
/// print("\(adapters.parameterCount) parameters, \(adapters.shareOfBase * 100) % of the base")
/// optimizer.update(adapters.parameters, learningRate: 1)
/// ```
///
/// Fresh adapters change nothing: their up projections are zero, so that the adapted model equals the base exactly.
///
/// Several sets may stand in one model, each with its own ``strength``; what they contribute is added
/// (`LinearContribution`).
public final class AdapterSet {
    /// One adapted layer.
    public struct Member {
        /// The full name of the layer.
        public let name: String
        /// The layer.
        public let linear: Linear
        /// What stands beside its weight.
        public let adapter: any AdapterModule
    }

    /// The adapted layers in the model's order.
    public let members: [Member]
    /// The number of elements of the model without adapters.
    public let baseParameterCount: Int
    /// The file that the adapters came from, or their run's folder; nil for fresh ones whose owner gave none.
    public var path: String?
    /// What of the file that the adapters came from is not used, one sentence each.
    public internal(set) var notices: [String] = []
    private let context: AdapterContext

    /// Puts fresh adapters beside the layers that the configuration's patterns match.
    ///
    /// Weights are drawn from the stream of `seed` in the model's order of layers. `pooledWidth` is the width P of the
    /// model's pooled text; only methods that see it need it (``AdapterMethod/needsPooledText``). Throws ``AdapterError`` when the
    /// configuration has faults, when a pattern matches no linear layer, or when a layer already has an adapter and
    /// `besideOthers` does not allow it.
    public convenience init(
        injecting configuration: AdapterConfiguration, into model: any Module, pooledWidth: Int? = nil, seed: UInt64,
        besideOthers: Bool = false
    ) throws {
        try configuration.validate()
        let targets = try AdapterTargets(configuration, layers: model.linearLayers.map(\.name))
        if configuration.needsPooledText && pooledWidth == nil { throw AdapterError.unknownPooledWidth }
        var random = Random(seed: seed)
        let layers = model.linearLayers.compactMap { layer -> AdaptedLayer? in
            guard let method = targets.methods[layer.name] else { return nil }
            let tensors = method.freshTensors(for: layer.linear, pooledWidth: pooledWidth, random: &random)
            return AdaptedLayer(name: layer.name, weights: AdapterWeights(method, tensors))
        }
        try self.init(layers, in: model, besideOthers: besideOthers)
    }

    /// Puts adapters with known weights beside their layers, whose shapes the caller has checked.
    ///
    /// Throws ``AdapterError/occupied(_:)`` when a layer has an adapter already, unless `besideOthers`.
    init(_ layers: [AdaptedLayer], in model: any Module, besideOthers: Bool = false) throws {
        let context = AdapterContext()
        let weights = Dictionary(uniqueKeysWithValues: layers.map { ($0.name, $0.weights) })
        baseParameterCount = model.parameterCount
        members = model.linearLayers.compactMap { layer in
            weights[layer.name].map {
                Member(
                    name: layer.name, linear: layer.linear,
                    adapter: $0.method.makeAdapter($0.tensors, layer: layer.name, context: context))
            }
        }
        self.context = context
        let occupied = members.filter { !$0.linear.adapters.isEmpty }.map(\.name)
        if !occupied.isEmpty && !besideOthers { throw AdapterError.occupied(occupied) }
        for member in members { member.linear.adapters.append(member.adapter) }
    }

    /// The factor on everything the adapters add: 1 as trained, 0 for exactly the base.
    public var strength: Float {
        get { context.strength }
        set { context.strength = newValue }
    }

    /// The mixtures among the adapters, in the model's order.
    public var mixtures: [LoRAMoE] { members.compactMap { $0.adapter as? LoRAMoE } }

    /// The losses and shares among all that was handed over during a run.
    public func routingReport(_ entries: [AuxiliaryOutputs.Entry]) -> RoutingReport {
        let names = Set(mixtures.map(\.layer))
        return RoutingReport(entries.filter { names.contains($0.name) })
    }

    /// Takes the adapters out of the model, which is then the base again, or what other sets make of it.
    public func remove() {
        for member in members { member.linear.adapters.removeAll { $0 === member.adapter } }
    }
}

extension Module {
    /// Every linear layer with its full name.
    var linearLayers: [(name: String, linear: Linear)] {
        namedModules().compactMap { name, module in (module as? Linear).map { (name, $0) } }
    }
}
