import Foundation
import TensorIO

/// The `normalizer` of a tokenizer.json: what happens to a text before it is split.
indirect enum TextNormalizer: Sendable {
    case sequence([TextNormalizer])
    case precompiled(Charsmap)
    case replace(ReplacedPattern, with: [UInt8])
    case strip(left: Bool, right: Bool)
    case prepend([UInt8])
    case lowercase
    case canonicalComposition

    private static let names = ["Sequence", "Precompiled", "Replace", "Strip", "Prepend", "Lowercase", "NFC"]

    /// Reads the part of a tokenizer.json.
    init(_ node: JSONNode) throws {
        let type = try node.type()
        switch type {
        case "Sequence":
            self = .sequence(
                try node.required("normalizers", "an array of normalizers").elements().map(TextNormalizer.init))
        case "Precompiled":
            let blob = try node.required("precompiled_charsmap", "a character map in base64")
            guard let bytes = Data(base64Encoded: try blob.string()) else {
                throw blob.fault(expected: "a character map in base64")
            }
            self = .precompiled(try Charsmap([UInt8](bytes), path: blob.path, key: blob.key))
        case "Replace":
            self = .replace(
                try ReplacedPattern(try node.required("pattern", "a pattern")),
                with: Array(try node.required("content", "the replacement").string().utf8))
        case "Strip":
            self = .strip(
                left: try node.flag("strip_left", default: true), right: try node.flag("strip_right", default: true))
        case "Prepend": self = .prepend(Array(try node.required("prepend", "a text").string().utf8))
        case "Lowercase": self = .lowercase
        case "NFC": self = .canonicalComposition
        default:
            throw node.fault(
                expected: "a normalizer among \(Self.names.joined(separator: ", "))", found: "'\(type)'",
                nearest: nearestName(to: type, among: Self.names))
        }
    }

    /// The normalized form of a text in UTF-8.
    func callAsFunction(_ text: [UInt8]) -> [UInt8] {
        switch self {
        case .sequence(let parts): return parts.reduce(text) { $1($0) }
        case .precompiled(let map): return map.normalized(text)
        case .replace(let pattern, let content): return pattern.replaced(in: text, by: content)
        case .strip(let left, let right):
            var range = 0..<text.count
            while left, let scalar = text.scalar(at: range.lowerBound), scalar.properties.isWhitespace {
                range = range.lowerBound + UTF8.width(scalar)..<range.upperBound
            }
            while right, !range.isEmpty, let scalar = text.scalar(before: range.upperBound),
                scalar.properties.isWhitespace
            {
                range = range.lowerBound..<range.upperBound - UTF8.width(scalar)
            }
            return Array(text[range])
        case .prepend(let prefix): return text.isEmpty ? text : prefix + text
        case .lowercase: return lowercased(text)
        case .canonicalComposition: return CanonicalComposition.composed(text)
        }
    }
}

/// The text with every character in lower case by itself: no rule looks at its neighbours, so a final sigma is `σ`.
func lowercased(_ text: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(text.count)
    var start = 0
    while let scalar = text.scalar(at: start) {
        start += UTF8.width(scalar)
        if scalar.isASCII {
            let byte = UInt8(scalar.value)
            output.append(UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte)
        } else {
            output += scalar.properties.lowercaseMapping.utf8
        }
    }
    return output
}
