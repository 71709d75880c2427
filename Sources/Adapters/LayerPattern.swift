/// A pattern over the full names of layers: `transformer_blocks.*.attn.to_q`.
///
/// `*` stands for any run of characters, dots included; everything else stands for itself, and the pattern must cover the
/// whole name. A pattern between slashes is a regular expression that must match the whole name:
/// `/single_transformer_blocks\.(3[0-7])\.proj_out/`.
public struct LayerPattern: Sendable, Equatable, CustomStringConvertible {
    /// The pattern as written.
    public let description: String

    /// Why a pattern cannot be used.
    public struct Malformed: Error, CustomStringConvertible, Equatable {
        /// The pattern.
        public let pattern: String
        /// One line that names the pattern.
        public var description: String {
            pattern.isEmpty
                ? "expected a pattern, found an empty text"
                : "expected a valid regular expression between slashes, found '\(pattern)'"
        }
    }

    /// Reads a pattern. Throws ``Malformed`` when it is empty or an invalid regular expression.
    public init(_ pattern: String) throws(Malformed) {
        description = pattern
        if pattern.isEmpty { throw Malformed(pattern: pattern) }
        if let expression {
            do { _ = try Regex(expression) } catch { throw Malformed(pattern: pattern) }
        }
    }

    /// What stands between the slashes of a regular expression.
    private var expression: String? {
        guard description.count >= 2, description.hasPrefix("/"), description.hasSuffix("/") else { return nil }
        return String(description.dropFirst().dropLast())
    }

    /// The names that match, in their order.
    public func matches(in names: [String]) -> [String] {
        if let expression {
            // Checked by the initialiser; a Regex is not Sendable, so the text is kept instead.
            guard let regex = try? Regex(expression) else { preconditionFailure("'\(expression)' changed") }
            return names.filter { $0.wholeMatch(of: regex) != nil }
        }
        let parts = description.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(
            Array.init)
        return names.filter { Self.matches(Array($0.utf8), parts) }
    }

    /// Whether `name` is the parts in order with anything between them.
    private static func matches(_ name: [UInt8], _ parts: [[UInt8]]) -> Bool {
        if parts.count == 1 { return name == parts[0] }
        guard name.starts(with: parts[0]) else { return false }
        var rest = name.dropFirst(parts[0].count)
        for part in parts[1..<(parts.count - 1)] {
            // The leftmost place leaves the most for the parts that follow.
            guard let start = rest.indices.first(where: { rest[$0...].starts(with: part) }) else {
                if part.isEmpty { continue }
                return false
            }
            rest = rest[(start + part.count)...]
        }
        let last = parts[parts.count - 1]
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }

    /// A name of the kind that the pattern means, to look for its neighbours.
    var example: String { String(description.map { $0 == "*" ? "0" : $0 }) }
}
