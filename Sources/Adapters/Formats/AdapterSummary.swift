import TensorCore
public import TensorIO

/// What an adapter file is, told from its keys: its format, its ranks and alphas, how many layers it adapts.
public struct AdapterSummary: Sendable {
    /// Who writes files with such keys.
    public let format: String
    /// The ranks of plain LoRAs, and how many layers of the file have each.
    public let ranks: [Int: Int]
    /// The alphas that stand beside the weights or in the header, and how many layers of the file have each.
    public let alphas: [Float: Int]
    /// How many layers have no alpha, so that it equals the rank.
    public let layersWithoutAlpha: Int
    /// The numbers of experts of mixtures, and how many layers have each.
    public let experts: [Int: Int]
    /// The ranks of experts, and how many layers have each.
    public let expertRanks: [Int: Int]
    /// How many layers each method adapts, by its ``AdapterMethod/name``.
    public let methods: [String: Int]
    private let phrases: [String]
    /// How many tensors adapt a text encoder.
    public let textEncoderTensors: Int
    /// How many layers the file adapts, fused ones counting once.
    public let layers: Int

    /// Whether a file with these names is an adapter.
    public static func isAdapter(_ names: some Sequence<String>) -> Bool {
        names.contains { name in
            // By bytes: a file may have a million names.
            if AdapterKey.isKnownEnding(name) { return true }
            var name = name
            return name.withUTF8 { bytes in
                var rest = bytes[...]
                while let start = rest.firstIndex(of: UInt8(ascii: "l")) {
                    if rest[start...].starts(with: "lora_".utf8) { return true }
                    let isWord = start > 0 && [UInt8(ascii: "_"), UInt8(ascii: ".")].contains(bytes[start - 1])
                    if isWord, rest[start...].starts(with: "lora.".utf8) { return true }
                    rest = rest[(start + 1)...]
                }
                return false
            }
        }
    }

    /// Reads the keys. Throws `FileError` for the first that belongs to no format that is read here, and for an alpha
    /// that is no number.
    public init(_ archive: any TensorArchive, naming: AdapterNaming = AdapterNaming()) throws {
        let header = try AdapterHeader(archive, naming: naming)
        let groups = try AdapterKey.byLayer(archive)
        var alphas: [Float: Int] = [:]
        var layersOf: [String: [[AdapterRole: Shape]]] = [:]
        var withoutAlpha = 0
        for (stem, keys) in groups {
            let shapes = archive.shapes(keys)
            let method = AdapterMethods.claiming(keys.keys, peftFlags: header.peftFlags)
            layersOf[method.name, default: []].append(shapes)
            if let key = keys[AdapterRole.alpha] {
                alphas[try archive.adapterAlpha(key), default: 0] += 1
            } else if header.isOfPEFT, let rank = method.rank(shapes) {
                alphas[header.peft.alpha(layer: naming.stripped(stem), rank: rank), default: 0] += 1
            } else {
                withoutAlpha += 1
            }
        }
        textEncoderTensors = archive.names.count { AdapterKey.isOfTextEncoder($0) }
        layers = groups.count
        layersWithoutAlpha = withoutAlpha
        self.alphas = alphas
        methods = layersOf.mapValues(\.count)
        phrases = AdapterMethods.all.compactMap { method in layersOf[method.name].map { method.phrase($0) } }
        let plain = layersOf[LoRAMethod.name] ?? []
        ranks = Dictionary(grouping: plain.compactMap { LoRAMethod.rank($0) }) { $0 }.mapValues(\.count)
        let mixtures = layersOf[LoRAMoEMethod.name] ?? []
        (experts, expertRanks) = LoRAMoEMethod.expertCounts(mixtures)
        let names = archive.names.filter { !AdapterKey.isOfTextEncoder($0) }
        format = mixtures.isEmpty ? Self.format(of: names, naming) : "ICEdit LoRA-MoE"
    }

    /// The format that most of the keys speak for.
    private static func format(of names: [String], _ naming: AdapterNaming) -> String {
        let marks: [(prefix: String, format: String)] = [
            ("lora_unet_", "kohya sd-scripts"), ("lora_transformer_", "OneTrainer"),
            ("lycoris_", "SimpleTuner (LyCORIS)"),
            ("diffusion_model.", "ComfyUI"), ("model.diffusion_model.", "ComfyUI"),
            ("base_model.model.", "PEFT"), ("\(naming.component).", "diffusers"),
        ]
        var votes: [String: Int] = [:]
        for name in names {
            votes[marks.first { name.hasPrefix($0.prefix) }?.format ?? "layer names without a prefix", default: 0] += 1
        }
        return votes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "none"
    }

    /// `diffusers: 31 LoRAs of rank 8, alpha 8`, and what else there is.
    public var lines: [String] {
        var parts = phrases
        if !parts.isEmpty, !alphas.isEmpty {
            let rest = layersWithoutAlpha > 0 ? " (\(layersWithoutAlpha) layers without)" : ""
            parts[0] += ", alpha " + countedList(alphas) + rest
        }
        if textEncoderTensors > 0 {
            parts.append("\(textEncoderTensors) tensors for text encoders, which are not used")
        }
        return ["layout of \(format): " + parts.joined(separator: ", ")]
    }
}
