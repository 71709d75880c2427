import TensorIO

/// What `tokenizer_config.json`, and `special_tokens_map.json` of older folders, say about a tokenizer.
struct TokenizerConfiguration: Sendable {
    /// A special token by its role.
    struct SpecialToken: Sendable {
        var content: String
        var isNormalized = false
        var stripsLeft = false
        var stripsRight = false
        var isSingleWord = false
    }

    /// `model_max_length`, unless it is one of the huge numbers that stand for "no limit".
    private(set) var maximumLength: Int?
    /// The tokens named `bos_token`, `eos_token`, `unk_token` and `pad_token`.
    private(set) var specialTokens: [String: SpecialToken] = [:]
    /// `added_tokens_decoder`, by rising id.
    private(set) var addedTokens: [AddedToken] = []
    /// `extra_ids`: how many sentinels a T5 vocabulary has beyond its pieces.
    private(set) var extraIDs: Int?

    static let roles = ["bos_token", "eos_token", "unk_token", "pad_token"]

    /// A configuration that says no more than how many sentinels lie beyond the pieces.
    init(extraIDs: Int) { self.extraIDs = extraIDs }

    /// Reads what the folder has; a folder may have neither file.
    init(folder: String) throws {
        let path = filePath(folder, "tokenizer_config.json")
        if fileExists(path) {
            let file = try JSONNode(file: path)
            try readRoles(file)
            if let node = try file.member("model_max_length") {
                guard let number = node.value.double, number >= 2 else {
                    throw node.fault(expected: "a number of tokens, at least 2")
                }
                if number <= 1_000_000 { maximumLength = Int(number) }
            }
            if let node = try file.member("extra_ids") {
                let count = try node.tokenID()
                guard count <= 100_000 else { throw node.fault(expected: "at most 100000 sentinels") }
                extraIDs = Int(count)
            }
            for (id, node) in try file.member("added_tokens_decoder")?.members() ?? [] {
                guard let id = Int32(id), 0...TokenID.largest ~= id else {
                    throw node.fault(expected: "a token id as the key", found: id)
                }
                addedTokens.append(try AddedToken(node, id: id))
            }
            addedTokens.sort { $0.id < $1.id }
        }
        let mapPath = filePath(folder, "special_tokens_map.json")
        if fileExists(mapPath) { try readRoles(try JSONNode(file: mapPath)) }
    }

    /// Roles that are already known are left as they are.
    private mutating func readRoles(_ file: JSONNode) throws {
        for role in Self.roles where specialTokens[role] == nil {
            guard let node = try file.member(role) else { continue }
            switch node.value {
            case .string(let content): specialTokens[role] = SpecialToken(content: content)
            case .object:
                specialTokens[role] = SpecialToken(
                    content: try node.required("content", "the token's text").string(),
                    isNormalized: try node.flag("normalized", default: false),
                    stripsLeft: try node.flag("lstrip", default: false),
                    stripsRight: try node.flag("rstrip", default: false),
                    isSingleWord: try node.flag("single_word", default: false))
            default: throw node.fault(expected: "a token (a string or an object)")
            }
            if specialTokens[role]?.content.isEmpty == true {
                throw node.fault(expected: "a token's text", found: "an empty one")
            }
        }
    }
}
