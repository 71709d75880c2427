import Foundation
import TensorIO

/// What diffusers (0.35 and later) writes beside LoRA weights: the fields of PEFT's `LoraConfig` as JSON under
/// `lora_adapter_metadata`, each field with the component before it: `transformer.lora_alpha`.
struct PEFTMetadata {
    /// The key in the file's header.
    static let headerKey = "lora_adapter_metadata"

    /// The alpha of layers that no pattern names; nil when the file leaves it to the rank.
    private var alpha: Float?
    /// Alphas of layers by a regular expression for the end of their names.
    private var alphaPatterns: [(pattern: Regex<AnyRegexOutput>, alpha: Float)] = []
    /// Whether the scale is `alpha / sqrt(r)` (Kalajdzievski 2023, arXiv 2312.03732).
    private var isRankStabilized = false

    /// Reads the header's entry, if there is one. Throws ``FileError`` when it is malformed or asks for what is not
    /// supported.
    init(header: [String: String], naming: AdapterNaming, path: String) throws {
        guard let text = header[Self.headerKey] else { return }
        func fault(_ field: String?, _ expected: String, _ found: Any?) -> FileError {
            FileError(
                path, key: field.map { "\(Self.headerKey), \($0)" } ?? Self.headerKey, expected: expected,
                found: found.map { String("\($0)".prefix(60)) } ?? "nothing")
        }
        guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
            throw fault(nil, "a JSON object", "'\(text)'")
        }
        let prefix = "\(naming.component)."
        let fields = Dictionary(
            object.map { ($0.key.hasPrefix(prefix) ? String($0.key.dropFirst(prefix.count)) : $0.key, $0.value) },
            uniquingKeysWith: { first, _ in first })
        if fields["use_dora"] as? Bool == true { throw fault("use_dora", "false: DoRA is not supported", "true") }
        isRankStabilized = fields["use_rslora"] as? Bool ?? false
        func number(_ field: String, _ value: Any) throws -> Float {
            guard let number = value as? NSNumber, number.floatValue.isFinite else {
                throw fault(field, "a finite number", value)
            }
            return number.floatValue
        }
        if let value = fields["lora_alpha"], !(value is NSNull) { alpha = try number("lora_alpha", value) }
        if let value = fields["alpha_pattern"], !(value is NSNull) {
            guard let patterns = value as? [String: Any] else { throw fault("alpha_pattern", "a JSON object", value) }
            for (pattern, value) in patterns.sorted(by: { $0.key < $1.key }) {
                guard let regex = try? Regex("(?:.*\\.)?(?:\(pattern))") else {
                    throw fault("alpha_pattern", "a valid regular expression", "'\(pattern)'")
                }
                alphaPatterns.append((regex, try number("alpha_pattern", value)))
            }
        }
    }

    /// The alpha of a layer of rank `rank`, such that its scale is `alpha / rank`.
    func alpha(layer: String, rank: Int) -> Float {
        let named = alphaPatterns.first { layer.wholeMatch(of: $0.pattern) != nil }?.alpha
        guard let alpha = named ?? self.alpha else { return Float(rank) }
        return isRankStabilized ? alpha * Float(rank).squareRoot() : alpha
    }

    /// The header's entry for plain LoRAs: what the most layers have as the rule, the rest by name.
    static func header(_ layers: [(name: String, rank: Int, alpha: Float)], naming: AdapterNaming) throws -> String {
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
        let fields: [String: Any] = [
            "r": rank, "lora_alpha": written(alpha), "rank_pattern": exceptions { r, _ in r == rank ? nil : r },
            "alpha_pattern": exceptions { _, a in a == alpha ? nil : written(a) },
            "target_modules": layers.map(\.name).sorted(), "use_dora": false, "lora_bias": false,
        ]
        let named = Dictionary(uniqueKeysWithValues: fields.map { ("\(naming.component).\($0.key)", $0.value) })
        let json = try JSONSerialization.data(withJSONObject: named, options: [.sortedKeys, .withoutEscapingSlashes])
        return String(decoding: json, as: UTF8.self)
    }
}
