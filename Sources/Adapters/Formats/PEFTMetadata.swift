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

    /// Reads the text of a configuration, of `key` in a header or of a file. Throws `FileError` when it is malformed or asks
    /// for what is not supported.
    init(_ text: String, naming: AdapterNaming, path: String, key: String?) throws {
        func fault(_ field: String?, _ expected: String, _ found: (any CustomStringConvertible)?) -> FileError {
            let place = [key, field].compactMap(\.self).joined(separator: ", ")
            return FileError(
                path, key: place.isEmpty ? nil : place, expected: expected,
                found: found.map { printable(String("\($0)".prefix(60))) } ?? "nothing")
        }
        let object: JSONValue
        do { object = try JSONValue(parsing: text) } catch let error as JSONFault {
            // The order of patterns counts: of several that match a layer it is the first.
            if error.isRepeatedKey { throw fault(nil, "a JSON object with each key once", "one of them twice") }
            throw fault(nil, "a JSON object", "'\(text)'")
        }
        guard object.members != nil else { throw fault(nil, "a JSON object", "'\(text)'") }
        let prefix = "\(naming.component)."
        func field(_ name: String) -> JSONValue? {
            for name in [prefix + name, name] {
                if let value = object[name], !value.isNull { return value }
            }
            return nil
        }
        func flag(_ name: String) throws -> Bool {
            guard let value = field(name) else { return false }
            guard let flag = value.bool ?? (value.integer.flatMap { [0: false, 1: true][$0] }) else {
                throw fault(name, "true or false", value)
            }
            return flag
        }
        func number(_ field: String, _ value: JSONValue) throws -> Float {
            guard let number = value.double.map({ Float($0) }), number.isFinite else {
                throw fault(field, "a finite number", value)
            }
            return number
        }
        func patterns(_ name: String) throws -> [Pattern] {
            guard let value = field(name) else { return [] }
            guard let members = value.members else { throw fault(name, "a JSON object", value) }
            return try members.map { member in
                let pattern = member.key
                guard Self.endsSoon(pattern) else {
                    throw fault(
                        name,
                        "patterns of at most \(Self.longestPattern) characters and \(Self.mostRepetitions) repetitions, "
                            + "none of a group", "'\(printable(pattern))'")
                }
                guard let expression = try? Regex("(?:.*\\.)?(?:\(pattern))") else {
                    throw fault(name, "a valid regular expression", "'\(pattern)'")
                }
                return (expression, try number(name, member.value))
            }
        }
        if let kind = field("peft_type"), kind.string != "LORA" {
            throw fault("peft_type", "LORA", kind)
        }
        for (name, what) in [("use_dora", "DoRA"), ("use_qalora", "QALoRA"), ("use_bdlora", "BD-LoRA")]
        where try flag(name) {
            if AdapterMethods.all.contains(where: { $0.peftFlag == name }) {
                flags.insert(name)
                continue
            }
            throw fault(name, "false: \(what) is not supported", "true")
        }
        for name in [
            "alora_invocation_tokens", "layer_replication", "arrow_config", "kasa_config", "monteclora_config",
        ] {
            if field(name) != nil { throw fault(name, "null: such adapters are not supported", "a value") }
        }
        if let beginning = field("init_lora_weights")?.string,
            !Self.plainBeginnings.contains(beginning.lowercased())
        {
            throw fault(
                "init_lora_weights",
                "an adapter beside the base's own weights (PEFT converts one when it saves: "
                    + "path_initial_model_for_weight_conversion)",
                "'\(beginning)', which changes them")
        }
        isRankStabilized = try flag("use_rslora")
        if let value = field("r") { rank = Int(exactly: try number("r", value)) ?? 0 }
        if let value = field("lora_alpha") { alpha = try number("lora_alpha", value) }
        targets = field("target_modules")?.strings
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
        func exceptions(_ value: (Int, Float) -> JSONValue?) -> JSONValue {
            let fields = layers.compactMap { layer in value(layer.rank, layer.alpha).map { (pattern(layer.name), $0) } }
            return JSONValue(fields: Dictionary(fields, uniquingKeysWith: { first, _ in first }))
        }
        // The shortest decimal: 0.1 rather than 0.10000000149; whole numbers as PEFT's own files have them.
        func written(_ number: Float) -> JSONValue { JSONNumber(number).map(JSONValue.number) ?? .null }
        var fields: [String: JSONValue] = [
            "r": JSONValue(rank), "lora_alpha": written(alpha),
            "rank_pattern": exceptions { r, _ in r == rank ? nil : JSONValue(r) },
            "alpha_pattern": exceptions { _, a in a == alpha ? nil : written(a) },
            "target_modules": .array(layers.map(\.name).sorted().map { JSONValue($0) }), "use_dora": false,
            "lora_bias": false,
        ]
        if let flag { fields[flag] = true }
        let named = Dictionary(uniqueKeysWithValues: fields.map { ("\(naming.component).\($0.key)", $0.value) })
        return JSONValue(fields: named).text()
    }
}
