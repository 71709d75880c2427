import Foundation
import TensorIO

/// PEFT's `LoraConfig`: as PEFT writes it into `adapter_config.json`, or as diffusers (0.35 and later) writes it into the
/// header of LoRA weights, as JSON under `lora_adapter_metadata`, each field with the component before it:
/// `transformer.lora_alpha`.
struct PEFTMetadata {
    /// The key in the file's header.
    static let headerKey = "lora_adapter_metadata"

    /// As much text as is read.
    static let longestText = 16 << 20

    /// The rank of layers that no pattern names.
    private var rank = 8
    /// The alpha of layers that no pattern names; nil when the file leaves it to the rank.
    private var alpha: Float?
    /// Ranks of layers by a regular expression for the end of their names, in the order of the file.
    private var rankPatterns: [Pattern] = []
    /// Alphas of layers in the same way.
    private var alphaPatterns: [Pattern] = []
    /// The ends of the names of the adapted layers; nil when any may be.
    private var targets: [String]?
    /// Whether the scale is `alpha / sqrt(r)` (Kalajdzievski 2023, arXiv 2312.03732).
    private var isRankStabilized = false

    /// The methods' flags that are set (``AdapterMethod/peftFlag``).
    private(set) var flags: Set<String> = []

    private typealias Pattern = (expression: Regex<AnyRegexOutput>, value: Float)

    /// How adapters may begin that leave the base's weights as they are. All others take something out of them first, which
    /// only PEFT can do again.
    private static let plainBeginnings = ["gaussian", "eva", "orthogonal", "mica"]

    /// No configuration: alpha equals the rank.
    init() {}

    /// Reads the text of a configuration, of `key` in a header or of a file. Throws ``FileError`` when it is malformed or asks
    /// for what is not supported.
    init(_ text: String, naming: AdapterNaming, path: String, key: String?) throws {
        func fault(_ field: String?, _ expected: String, _ found: Any?) -> FileError {
            let place = [key, field].compactMap(\.self).joined(separator: ", ")
            return FileError(
                path, key: place.isEmpty ? nil : place, expected: expected,
                found: found.map { printable(String("\($0)".prefix(60))) } ?? "nothing")
        }
        guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
            throw fault(nil, "a JSON object", "'\(text)'")
        }
        let prefix = "\(naming.component)."
        func field(_ name: String) -> (name: String, value: Any)? {
            for name in [prefix + name, name] {
                if let value = object[name], !(value is NSNull) { return (name, value) }
            }
            return nil
        }
        func number(_ field: String, _ value: Any) throws -> Float {
            guard let number = value as? NSNumber, number.floatValue.isFinite else {
                throw fault(field, "a finite number", value)
            }
            return number.floatValue
        }
        func patterns(_ name: String) throws -> [Pattern] {
            guard let (key, value) = field(name) else { return [] }
            guard let values = value as? [String: Any] else { throw fault(name, "a JSON object", value) }
            // Of several patterns that match a layer the first counts, and JSONSerialization keeps no order.
            guard let order = JSONScanner.keys(of: key, in: text), order.count == values.count else {
                throw fault(nil, "a JSON object with each key once", "one of them twice")
            }
            return try order.map { pattern in
                guard Self.endsSoon(pattern) else {
                    throw fault(
                        name,
                        "patterns of at most \(Self.longestPattern) characters and \(Self.mostRepetitions) repetitions, "
                            + "none of a group", "'\(printable(pattern))'")
                }
                guard let expression = try? Regex("(?:.*\\.)?(?:\(pattern))") else {
                    throw fault(name, "a valid regular expression", "'\(pattern)'")
                }
                return (expression, try number(name, values[pattern] ?? NSNull()))
            }
        }
        if let (_, kind) = field("peft_type"), kind as? String != "LORA" {
            throw fault("peft_type", "LORA", kind)
        }
        for (flag, what) in [("use_dora", "DoRA"), ("use_qalora", "QALoRA"), ("use_bdlora", "BD-LoRA")]
        where field(flag)?.value as? Bool == true {
            if AdapterMethods.all.contains(where: { $0.peftFlag == flag }) {
                flags.insert(flag)
                continue
            }
            throw fault(flag, "false: \(what) is not supported", "true")
        }
        for name in [
            "alora_invocation_tokens", "layer_replication", "arrow_config", "kasa_config", "monteclora_config",
        ] {
            if field(name) != nil { throw fault(name, "null: such adapters are not supported", "a value") }
        }
        if let beginning = field("init_lora_weights")?.value as? String,
            !Self.plainBeginnings.contains(beginning.lowercased())
        {
            throw fault(
                "init_lora_weights",
                "an adapter beside the base's own weights (PEFT converts one when it saves: "
                    + "path_initial_model_for_weight_conversion)",
                "'\(beginning)', which changes them")
        }
        isRankStabilized = field("use_rslora")?.value as? Bool ?? false
        if let (_, value) = field("r") { rank = Int(exactly: try number("r", value)) ?? 0 }
        if let (_, value) = field("lora_alpha") { alpha = try number("lora_alpha", value) }
        targets = field("target_modules")?.value as? [String]
        rankPatterns = try patterns("rank_pattern")
        alphaPatterns = try patterns("alpha_pattern")
    }

    /// Whether a layer is among those that the configuration names one by one, by PEFT's rule.
    func names(layer: String) -> Bool {
        targets?.contains { layer == $0 || layer.hasSuffix("." + $0) } ?? true
    }

    /// The rank that a layer has by the configuration.
    func rank(layer: String) -> Int {
        Self.first(rankPatterns, layer).map { Int(exactly: $0) ?? 0 } ?? rank
    }

    /// The alpha of a layer of rank `rank`, such that its scale is `alpha / rank`.
    func alpha(layer: String, rank: Int) -> Float {
        guard let alpha = Self.first(alphaPatterns, layer) ?? self.alpha else { return Float(rank) }
        return isRankStabilized ? alpha * Float(rank).squareRoot() : alpha
    }

    /// The value of the first pattern for a layer, as PEFT looks it up (`get_pattern_key` of `peft/utils/other.py`).
    private static func first(_ patterns: [Pattern], _ layer: String) -> Float? {
        patterns.first { layer.wholeMatch(of: $0.expression) != nil }?.value
    }

    private static let longestPattern = 512
    private static let mostRepetitions = 3

    /// Whether a pattern is matched in short time. A repeated group, or many repetitions behind each other, may take hours,
    /// and patterns come from files.
    private static func endsSoon(_ pattern: String) -> Bool {
        guard pattern.utf8.count <= longestPattern else { return false }
        var repetitions = 0
        var before: Character?
        var isEscaped = false
        for character in pattern {
            if !isEscaped, "*+{".contains(character) {
                repetitions += 1
                if before == ")" { return false }
            }
            before = isEscaped ? nil : character
            isEscaped = !isEscaped && character == "\\"
        }
        return repetitions <= mostRepetitions
    }

    /// The header's entry for low-rank updates: what the most layers have as the rule, the rest by name.
    /// `flag` is that of their method.
    static func header(
        _ layers: [(name: String, rank: Int, alpha: Float)], flag: String?, naming: AdapterNaming
    ) throws -> String {
        func mostCommon<Value: Hashable & Comparable>(_ values: [Value]) -> Value? {
            let counts = Dictionary(grouping: values) { $0 }.mapValues(\.count)
            return counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
        }
        let (rank, alpha) = (mostCommon(layers.map(\.rank)) ?? 1, mostCommon(layers.map(\.alpha)) ?? 1)
        // PEFT matches the ends of names; `^` keeps `proj_out` from meaning every block's.
        func pattern(_ name: String) -> String { "^" + NSRegularExpression.escapedPattern(for: name) }
        func exceptions<Value>(_ value: (Int, Float) -> Value?) -> [String: Value] {
            Dictionary(
                layers.compactMap { layer in value(layer.rank, layer.alpha).map { (pattern(layer.name), $0) } },
                uniquingKeysWith: { first, _ in first })
        }
        // The shortest decimal: 0.1 rather than 0.10000000149; whole numbers as PEFT's own files have them.
        func written(_ number: Float) -> Any {
            Int(exactly: number) ?? Double(number.description) ?? Double(number)
        }
        var fields: [String: Any] = [
            "r": rank, "lora_alpha": written(alpha), "rank_pattern": exceptions { r, _ in r == rank ? nil : r },
            "alpha_pattern": exceptions { _, a in a == alpha ? nil : written(a) },
            "target_modules": layers.map(\.name).sorted(), "use_dora": false, "lora_bias": false,
        ]
        if let flag { fields[flag] = true }
        let named = Dictionary(uniqueKeysWithValues: fields.map { ("\(naming.component).\($0.key)", $0.value) })
        let json = try JSONSerialization.data(withJSONObject: named, options: [.sortedKeys, .withoutEscapingSlashes])
        return String(decoding: json, as: UTF8.self)
    }
}
