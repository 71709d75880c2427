public import NeuralNet
public import TensorCore
public import TensorIO

/// A mixture of LoRA experts beside a linear layer: `y + alpha / r * sum_e w_e B_e A_e x` (ICEdit, arXiv 2504.20690).
///
/// Tensors: A of all experts stacked, `[N r, in]`, B `[out, N r]`, the router `[N, in]` and, where it sees the pooled text,
/// `[N, P]`. Files hold the experts one by one.
public struct LoRAMoEMethod: AdapterMethod {
    /// The rank r of each expert.
    public var rank: Int
    /// The experts are scaled by `alpha / rank`.
    public var alpha: Float
    /// The number N of experts.
    public var experts: Int
    /// How experts are chosen and weighed.
    public var routing: RoutingOptions

    /// Collects the hyperparameters; the defaults are sizes of the released ICEdit weights, with a router that learns.
    public init(rank: Int = 32, alpha: Float = 32, experts: Int = 4, routing: RoutingOptions = RoutingOptions()) {
        (self.rank, self.alpha, self.experts, self.routing) = (rank, alpha, experts, routing)
    }

    /// The section of configurations: `moe`.
    public static let name = "moe"
    /// The word in lists.
    public static let noun = "mixture"
    /// The words in errors.
    public static let title = "a mixture of experts"
    static let routeName = AdapterTensorName("lora_route.weight")
    static let pooledRouteName = AdapterTensorName("lora_route_pooled.weight")
    /// Its tensors in the order in which they are trained.
    public static let tensorNames = [LowRank.downName, LowRank.upName, routeName, pooledRouteName]
    /// The formats that hold it.
    public static let formats = [AdapterFormat.icedit, .diptych]
    /// What makes other programs read it.
    public static let advice = ", and diptych flatten-moe makes a plain LoRA of it"
    /// Why it cannot be merged.
    public static let mergeRefusal: String? =
        "a static LoRA: which experts work depends on the token (see diptych flatten-moe)"

    /// The hyperparameters in a few words.
    public var summary: String {
        "\(experts) experts of rank \(rank), alpha \(alpha), top-\(routing.topK), \(routing.gate.settingName)"
    }

    /// What is wrong with the hyperparameters.
    public var faults: [(key: String, message: String)] {
        var faults = LowRank.faults(rank: rank, alpha: alpha)
        if experts < 1 { faults.append(("experts", "expected at least 1, found \(experts)")) }
        if routing.topK < 1 { faults.append(("top_k", "expected at least 1, found \(routing.topK)")) }
        if experts >= 1, routing.topK > experts {
            faults.append(("top_k", "expected at most the number of experts, \(experts), found \(routing.topK)"))
        }
        return faults
    }

    /// Whether the router sees the pooled text.
    public var needsPooledText: Bool { routing.input == .tokenAndPooledText }

    // MARK: Making

    /// A gaussian with deviation `1 / r`, B zero, the router gaussian with deviation 0.02, its pooled part too.
    public func freshTensors(for layer: Linear, pooledWidth: Int?, random: inout Random) -> [String: Tensor] {
        let (inputs, deviation) = (layer.inputDimensions, Float(0.02))
        var tensors = [
            LowRank.downName.name: random.randn([experts * rank, inputs]) * (1 / Float(rank)),
            LowRank.upName.name: Tensor(zeros: [layer.outputDimensions, experts * rank]),
            Self.routeName.name: random.randn([experts, inputs]) * deviation,
        ]
        if needsPooledText, let pooledWidth {
            tensors[Self.pooledRouteName.name] = random.randn([experts, pooledWidth]) * deviation
        }
        return tensors
    }

    /// The adapter with these tensors.
    public func makeAdapter(_ tensors: [String: Tensor], layer: String, context: AdapterContext) -> any AdapterModule {
        let router = Router(
            weight: tensors[Self.routeName.name]!, pooledWeight: tensors[Self.pooledRouteName.name], options: routing)
        return LoRAMoE(layer: layer, LowRank(tensors, alpha: alpha), router: router, context: context)
    }

    /// The weights of a layer among a run's parameters. Throws `FileError`.
    public func restored(_ layer: String, from parameters: any TensorArchive) throws -> AdapterWeights {
        let (keyA, keyB) = ("\(layer).\(LowRank.downName.name)", "\(layer).\(LowRank.upName.name)")
        let (keyRoute, keyPooled) = ("\(layer).\(Self.routeName.name)", "\(layer).\(Self.pooledRouteName.name)")
        let (a, b, route) = (
            try parameters.tensor(keyA), try parameters.tensor(keyB), try parameters.tensor(keyRoute)
        )
        guard a.rank == 2, b.rank == 2, a.shape[0] == b.shape[1] else {
            throw FileError(
                parameters.path, key: keyB, expected: "[out, rank] for \(keyA) \(a.shape)", found: "\(b.shape)")
        }
        guard a.shape[0] == experts * rank, route.shape == [experts, a.shape[1]] else {
            throw FileError(
                parameters.path, key: keyRoute, expected: "\(experts) experts of rank \(rank)",
                found: "a router \(route.shape) beside \(a.shape)")
        }
        var tensors = [LowRank.downName.name: a, LowRank.upName.name: b, Self.routeName.name: route]
        if parameters.info(keyPooled) != nil { tensors[Self.pooledRouteName.name] = try parameters.tensor(keyPooled) }
        return AdapterWeights(self, tensors)
    }

    // MARK: Merging, beginning, inspecting

    /// What is added to rows of a weight.
    public func update(_ tensors: [String: Tensor], rows: Range<Int>, of weight: Tensor) -> WeightUpdate {
        preconditionFailure("a mixture of experts is no update of a weight: see mergeRefusal")
    }

    /// By what the hyperparameters differ from those of a start.
    public func differences(from start: LoRAMoEMethod) -> [AdapterDifference] {
        [
            AdapterDifference("experts", start.experts, experts),
            AdapterDifference("rank", start.rank, rank),
            AdapterDifference("alpha", start.alpha, alpha, isScale: true),
            AdapterDifference("router_input", start.routing.input.settingName, routing.input.settingName),
        ].compactMap(\.self)
    }

    /// How the experts of a start are chosen, where that is not how these are.
    public func otherBehaviour(of start: LoRAMoEMethod) -> String? {
        let other = start.routing
        if other.chooses(as: routing) { return nil }
        return "mixtures were trained with adapter.moe.gate \(other.gate.settingName), top_k \(other.topK), "
            + "renormalize \(other.renormalizesWeights)"
    }

    /// The tensors of a start, scaled to the same outputs.
    public func tensors(_ tensors: [String: Tensor], of start: LoRAMoEMethod) -> [String: Tensor] {
        tensors.merging(LowRank(tensors, alpha: start.alpha).scaled(to: alpha).tensors) { $1 }
    }

    /// How many inputs the layer has, from its tensors' shapes.
    public static func inputs(_ shapes: [AdapterRole: Shape]) -> Int? { LowRank.inputs(shapes) }

    /// Layers of a file in a phrase.
    public static func phrase(_ layers: [[AdapterRole: Shape]]) -> String {
        let counts = expertCounts(layers)
        return "\(counts.experts.values.reduce(0, +)) mixtures of \(countedList(counts.experts)) experts of rank "
            + countedList(counts.ranks)
    }

    /// The numbers of experts and their ranks, and how many layers have each.
    static func expertCounts(_ layers: [[AdapterRole: Shape]]) -> (experts: [Int: Int], ranks: [Int: Int]) {
        var (experts, ranks) = ([Int: Int](), [Int: Int]())
        for shapes in layers {
            if let route = shapes[AdapterRole(routeName.name)] { experts[route.dimensions.first ?? 0, default: 0] += 1 }
            if let first = shapes[AdapterRole(LowRank.downName.name, expert: 0)] {
                ranks[first.dimensions.first ?? 0, default: 0] += 1
            }
        }
        return (experts, ranks)
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
