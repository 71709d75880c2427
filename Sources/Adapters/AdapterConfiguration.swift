/// What is trained beside a frozen model: rules, each of which gives the layers that it targets an adapter of a method.
///
/// Targets are patterns over the full names of the model's linear layers (``LayerPattern``). A layer that several rules match
/// gets the adapter of the last of them: in ``iceditMoE`` the mixture's layers are among the targets of the LoRA too, as in
/// the released ICEdit weights.
///
/// ```swift
/// let configuration = AdapterConfiguration([
///     AdapterRule(LoRAMethod(rank: 16), targets: ["*.attn.to_*"]),
///     AdapterRule(LoRAMoEMethod(experts: 8), targets: ["transformer_blocks.*.ff.net.2"]),
/// ])
/// let adapters = try AdapterSet(injecting: configuration, into: transformer, seed: 42)
/// ```
public struct AdapterConfiguration: Codable, Sendable, Equatable {
    /// The rules; later ones go before earlier ones.
    public var rules: [AdapterRule]

    /// Collects rules.
    public init(_ rules: [AdapterRule]) { self.rules = rules }

    /// One rule.
    public init(_ method: any AdapterMethod, targets: [String]) {
        self.init([AdapterRule(method, targets: targets)])
    }

    /// The hyperparameters of the first rule of a method, to read and to change: `configuration[LoRAMethod.self]?.rank = 8`.
    /// Nil where there is none; setting adds no rule and removes none.
    public subscript<Method: AdapterMethod>(_ type: Method.Type) -> Method? {
        get { rules.lazy.compactMap { $0.method as? Method }.first }
        set {
            guard let newValue, let place = rules.firstIndex(where: { $0.method is Method }) else { return }
            rules[place].method = newValue
        }
    }

    /// Upstream's LoRA targets, in the names that diffusers gives the layers of FLUX.
    public static let iceditTargets =
        ["x_embedder"]
        + ["norm1.linear", "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "ff.net.2"].map {
            "transformer_blocks.*." + $0
        }
        + ["norm.linear", "proj_mlp", "proj_out", "attn.to_q", "attn.to_k", "attn.to_v"].map {
            "single_transformer_blocks.*." + $0
        }

    /// The layers of the released weights that have a mixture of experts: the last of each block's MLP.
    public static let iceditMixtureTargets = ["transformer_blocks.*.ff.net.2", "single_transformer_blocks.*.proj_out"]

    /// The placement of the released ICEdit LoRA-MoE weights: four experts of rank 32 at the end of each block's MLP,
    /// LoRAs of rank 32 elsewhere (arXiv 2504.20690).
    public static let iceditMoE = AdapterConfiguration([
        AdapterRule(LoRAMethod(), targets: iceditTargets),
        AdapterRule(LoRAMoEMethod(), targets: iceditMixtureTargets),
    ])

    /// The same layers with a plain LoRA of rank 32 each.
    public static let iceditLoRA = AdapterConfiguration([AdapterRule(LoRAMethod(), targets: iceditTargets)])

    /// Everything that is wrong with the rules, one sentence each; empty when they can be used. Rules without targets are not
    /// looked at.
    public var faults: [String] {
        let used = rules.filter { !$0.targets.isEmpty }
        if used.isEmpty { return ["targets: expected at least one pattern, found none"] }
        return used.flatMap(\.faults)
    }

    /// Throws ``AdapterError/configuration(_:)`` with all ``faults`` when there are any.
    public func validate() throws {
        let faults = self.faults
        if !faults.isEmpty { throw AdapterError.configuration(faults) }
    }

    /// Whether an adapter will see the pooled text.
    var needsPooledText: Bool { rules.contains { !$0.targets.isEmpty && $0.method.needsPooledText } }

    /// The method that a layer gets; nil where no rule matches.
    func method(of layer: String) -> (any AdapterMethod)? {
        rules.last { rule in
            rule.targets.contains { pattern in
                (try? LayerPattern(pattern))?.matches(in: [layer]).isEmpty == false
            }
        }?.method
    }
}

/// Layers, by patterns, and the method of their adapters.
public struct AdapterRule: Sendable {
    /// The method with its hyperparameters.
    public var method: any AdapterMethod
    /// Patterns of layers (``LayerPattern``).
    public var targets: [String]

    /// Joins a method and targets.
    public init(_ method: any AdapterMethod, targets: [String]) {
        (self.method, self.targets) = (method, targets)
    }

    /// What is wrong with it, one sentence each.
    var faults: [String] {
        let name = type(of: method).name
        var faults = method.faults.map { "\(name).\($0.key): \($0.message)" }
        for (place, target) in targets.enumerated() {
            if targets[..<place].contains(target) {
                faults.append("\(name).targets: expected each pattern once, found '\(target)' twice")
            }
            do { _ = try LayerPattern(target) } catch { faults.append("\(name).targets: \(error)") }
        }
        return faults
    }
}

extension AdapterRule: Equatable {
    /// Whether both give the same layers the same adapters.
    public static func == (a: AdapterRule, b: AdapterRule) -> Bool {
        a.targets == b.targets && a.method.isEqual(to: b.method)
    }
}

extension AdapterRule: Codable {
    private enum Key: String, CodingKey { case method, settings, targets }

    /// Reads `method`, a word of ``AdapterMethods``, its `settings` and `targets`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let name = try container.decode(String.self, forKey: .method)
        guard let type = AdapterMethods.named(name) else {
            let known = AdapterMethods.all.map { $0.name }.joined(separator: ", ")
            throw DecodingError.dataCorruptedError(
                forKey: .method, in: container, debugDescription: "expected one of \(known), found '\(name)'")
        }
        method = try type.decoded(container.superDecoder(forKey: .settings))
        targets = try container.decode([String].self, forKey: .targets)
    }

    /// Writes what ``init(from:)`` reads.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(type(of: method).name, forKey: .method)
        try container.encode(method, forKey: .settings)
        try container.encode(targets, forKey: .targets)
    }
}

extension AdapterMethod {
    fileprivate static func decoded(_ decoder: any Decoder) throws -> any AdapterMethod { try Self(from: decoder) }
}
