import TensorIO

/// What a `Replace` normalizer of a tokenizer.json looks for: a literal text, or a character repeated.
///
/// Of regular expressions only the repetition of one character or of `\s` is read (` {2,}`, `\s+`): those are what the
/// T5 and CLIP tokenizers of the field carry. Any other is refused when the file is read.
struct ReplacedPattern: Sendable {
    private enum Unit: Sendable {
        case literal([UInt8])
        case whitespace
    }

    private let unit: Unit
    private let minimumCount: Int
    private let maximumCount: Int

    init(_ node: JSONNode) throws {
        if let literal = try node.member("String") {
            let text = try literal.string()
            guard !text.isEmpty else { throw literal.fault(expected: "a text to replace", found: "an empty one") }
            unit = .literal(Array(text.utf8))
            (minimumCount, maximumCount) = (1, 1)
            return
        }
        let expression = try node.required("Regex", "a 'String' or a 'Regex'")
        guard let parsed = Self.parse(try expression.string()) else {
            throw expression.fault(expected: #"one character or \s, followed by + or {n,}"#)
        }
        (unit, minimumCount) = parsed
        maximumCount = .max
    }

    private static func parse(_ expression: String) -> (Unit, Int)? {
        var rest = Substring(expression)
        let unit: Unit
        if rest.hasPrefix(#"\s"#) {
            unit = .whitespace
            rest = rest.dropFirst(2)
        } else {
            guard let first = rest.unicodeScalars.first, !#"\.[](){}*+?|^$"#.unicodeScalars.contains(first) else {
                return nil
            }
            unit = .literal(Array(UTF8.encode(first)!))
            rest = Substring(rest.unicodeScalars.dropFirst())
        }
        if rest == "+" { return (unit, 1) }
        guard rest.hasPrefix("{"), rest.hasSuffix(",}"), let count = Int(rest.dropFirst().dropLast(2)), count > 0 else {
            return nil
        }
        return (unit, count)
    }

    /// The text with every match, as long as it can be, replaced.
    func replaced(in text: [UInt8], by content: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var start = 0
        while start < text.count {
            var end = start
            var count = 0
            while count < maximumCount, let next = unitEnd(in: text, from: end) {
                end = next
                count += 1
            }
            if count >= minimumCount {
                output += content
            } else {
                if count == 0 { end = start + 1 }
                output += text[start..<end]
            }
            start = end
        }
        return output
    }

    private func unitEnd(in text: [UInt8], from start: Int) -> Int? {
        switch unit {
        case .literal(let bytes): text[start...].starts(with: bytes) ? start + bytes.count : nil
        case .whitespace:
            text.scalar(at: start).flatMap { $0.properties.isWhitespace ? start + UTF8.width($0) : nil }
        }
    }
}
