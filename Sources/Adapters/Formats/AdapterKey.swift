import TensorCore
import TensorIO

/// A key of an adapter file, taken apart: what stands for the layer, and what the tensor is to it.
struct AdapterKey: Equatable {
    /// What stands before the ending: the layer's name in the file's own way.
    let stem: String
    /// The tensor's part.
    let role: AdapterRole

    /// The tensors of all methods by their names.
    static let names: [String: AdapterTensorName] = {
        let all = AdapterMethods.all.flatMap { $0.tensorNames }
        return Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }()

    /// Every spelling of a whole tensor, with what parts it from the layer.
    private static let endings: [(ending: String, role: AdapterRole)] =
        names.values.sorted { $0.name < $1.name }.flatMap { name in
            (name.spellings.map { "." + $0 } + ["." + name.kohya] + name.others).map { ($0, AdapterRole(name.name)) }
        } + [(".alpha", .alpha)]

    /// What other kinds of adapters have.
    private static let foreign: [(mark: String, what: String)] = [
        ("lora_mid.weight", "a LoRA of a convolution in three parts"), (".hada_w", "a LoHa"),
        ("lokr_t2", "the core of a convolution's LoKr"),
        (".oft_", "an OFT"), (".processor.", "a key of XLabs' layout"),
    ]

    /// Whether the key belongs to an adapter of a text encoder, as kohya's, OneTrainer's and diffusers' files hold them
    /// beside the transformer's.
    static func isOfTextEncoder(_ key: String) -> Bool {
        ["lora_te", "text_encoder", "base_model.model.text_encoder", "clip_l.", "t5."].contains(where: key.hasPrefix)
    }

    /// Takes `key` apart. Throws `FileError` when it belongs to no format that is read here.
    init(_ key: String, path: String) throws {
        func fault(_ found: String) -> FileError {
            let names = AdapterMethods.all.flatMap { $0.tensorNames }.map(\.name)
            let known = names.enumerated().filter { !names[..<$0.offset].contains($0.element) }.map(\.element)
            return FileError(
                path, key: printable(key),
                expected:
                    "'{layer}.' and one of \(known.joined(separator: ", ")), their names in other programs' files, "
                    + "'lora_A.expert_0.weight' or 'alpha'",
                found: found)
        }
        if let (_, what) = Self.foreign.first(where: { key.contains($0.mark) }) {
            throw fault("\(what), which is not supported")
        }
        if key.hasSuffix(".diff") || key.hasSuffix(".diff_b") {
            throw fault("a whole difference of weights, which is not supported")
        }
        if let (ending, role) = Self.endings.first(where: { key.hasSuffix($0.ending) }) {
            stem = String(key.dropLast(ending.count))
            self.role = role
            return
        }
        let parts = key.split(separator: ".", omittingEmptySubsequences: false)
        guard let end = parts.lastIndex(where: { $0.hasPrefix("lora_") }) else { throw fault("another ending") }
        stem = parts[..<end].joined(separator: ".")
        let words = parts[end...]
        if words.last == "bias" { throw fault("a bias of a LoRA, which is not supported") }
        guard let name = Self.names["\(words[end]).weight"], name.isPerExpert, words.last == "weight", words.count == 3
        else { throw fault("another ending") }
        let word = words[end + 1]
        guard word.hasPrefix("expert_"), let expert = Int(word.dropFirst("expert_".count)), 0..<4096 ~= expert,
            word == "expert_\(expert)"
        else { throw fault("'\(word)' for an expert") }
        role = AdapterRole(name.name, expert: expert)
    }

    /// Whether a file's key could be of an adapter, by its ending.
    static func isKnownEnding(_ key: String) -> Bool {
        endings.contains { $0.role != .alpha && key.hasSuffix($0.ending) }
    }

    /// The tensors of a file by the layers that their keys name, in the order of the file, those of text encoders left out.
    /// Throws `FileError` for a key that belongs to no format.
    static func byLayer(_ archive: any TensorArchive) throws -> [(stem: String, keys: [AdapterRole: String])] {
        var groups: [(stem: String, keys: [AdapterRole: String])] = []
        var places: [String: Int] = [:]
        for name in archive.names where !isOfTextEncoder(name) {
            let key = try AdapterKey(name, path: archive.path)
            let place = places[key.stem] ?? groups.count
            if place == groups.count {
                places[key.stem] = place
                groups.append((key.stem, [:]))
            }
            groups[place].keys[key.role] = name
        }
        return groups
    }
}

extension TensorArchive {
    /// The shapes of the tensors of one layer.
    func shapes(_ keys: [AdapterRole: String]) -> [AdapterRole: Shape] { keys.compactMapValues { info($0)?.shape } }
}
