import TensorCore
public import TensorIO

/// What an adapter file is, told from its keys: its layout, its ranks and alphas, how many layers it adapts.
public struct AdapterSummary: Sendable {
    /// Who writes files with such keys.
    public let layout: String
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
    /// How many tensors adapt a text encoder.
    public let textEncoderTensors: Int
    /// How many layers the file adapts, fused ones counting once.
    public let layers: Int

    /// Whether a file with these names is an adapter.
    public static func isAdapter(_ names: some Sequence<String>) -> Bool {
        names.contains { name in
            // By bytes: a file may have a million names.
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

    /// Reads the keys. Throws ``FileError`` for the first that belongs to no layout that is read here, and for an alpha
    /// that is no number.
    public init(_ archive: any TensorArchive, naming: AdapterNaming = AdapterNaming()) throws {
        var stems: [String: Set<AdapterKey.Role>] = [:]
        var (ranks, alphas, experts, expertRanks) = ([Int: Int](), [Float: Int](), [Int: Int](), [Int: Int]())
        let header = try AdapterHeader(archive, naming: naming)
        var plainRanks: [String: Int] = [:]
        let names = archive.names.filter { !AdapterKey.isOfTextEncoder($0) }
        for name in names {
            let key = try AdapterKey(name, path: archive.path)
            stems[key.stem, default: []].insert(key.role)
            let rows = archive.info(name)?.shape.dimensions.first ?? 0
            switch key.role {
            case .a(expert: nil):
                ranks[rows, default: 0] += 1
                plainRanks[key.stem] = rows
            case .a(expert: 0): expertRanks[rows, default: 0] += 1
            case .route: experts[rows, default: 0] += 1
            case .alpha:
                alphas[try archive.adapterAlpha(name), default: 0] += 1
            default: break
            }
        }
        var withoutAlpha = stems.values.filter { !$0.contains(.alpha) }.count
        if header.isOfPEFT {
            for (stem, rank) in plainRanks where stems[stem]?.contains(.alpha) == false {
                alphas[header.peft.alpha(layer: naming.stripped(stem), rank: rank), default: 0] += 1
                withoutAlpha -= 1
            }
        }
        textEncoderTensors = archive.names.count - names.count
        layers = stems.count
        layersWithoutAlpha = withoutAlpha
        (self.ranks, self.alphas, self.experts, self.expertRanks) = (ranks, alphas, experts, expertRanks)
        let isMixed = stems.values.contains { $0.contains(.route) }
        layout = isMixed ? "ICEdit LoRA-MoE" : Self.layout(of: names, naming)
    }

    /// The layout that most of the keys speak for.
    private static func layout(of names: [String], _ naming: AdapterNaming) -> String {
        let marks: [(prefix: String, layout: String)] = [
            ("lora_unet_", "kohya sd-scripts"), ("lora_transformer_", "OneTrainer"),
            ("lycoris_", "SimpleTuner (LyCORIS)"),
            ("diffusion_model.", "ComfyUI"), ("model.diffusion_model.", "ComfyUI"),
            ("base_model.model.", "PEFT"), ("\(naming.component).", "diffusers"),
        ]
        var votes: [String: Int] = [:]
        for name in names {
            votes[marks.first { name.hasPrefix($0.prefix) }?.layout ?? "layer names without a prefix", default: 0] += 1
        }
        return votes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "none"
    }

    /// `diffusers: 31 LoRAs of rank 8, alpha 8`, and what else there is.
    public var lines: [String] {
        var parts: [String] = []
        let plain = ranks.values.reduce(0, +)
        if plain > 0 {
            let alpha = alphas.isEmpty ? "" : ", alpha " + Self.list(alphas)
            let rest = !alphas.isEmpty && layersWithoutAlpha > 0 ? " (\(layersWithoutAlpha) layers without)" : ""
            parts.append("\(plain) LoRAs of rank " + Self.list(ranks) + alpha + rest)
        }
        if !experts.isEmpty {
            parts.append(
                "\(experts.values.reduce(0, +)) mixtures of \(Self.list(experts)) experts of rank \(Self.list(expertRanks))"
            )
        }
        if textEncoderTensors > 0 {
            parts.append("\(textEncoderTensors) tensors for text encoders, which are not used")
        }
        return ["layout of \(layout): " + parts.joined(separator: ", ")]
    }

    /// `32`, or `16 (38), 32 (19)`.
    private static func list<Value: Comparable & CustomStringConvertible>(_ counts: [Value: Int]) -> String {
        let sorted = counts.sorted { $0.key < $1.key }
        if sorted.count == 1 { return sorted[0].key.description }
        let shown = sorted.prefix(8).map { "\($0.key) (\($0.value))" }.joined(separator: ", ")
        return sorted.count > 8 ? "\(shown) and \(sorted.count - 8) more" : shown
    }
}
