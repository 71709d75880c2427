/// How a JSON text is laid out.
public struct JSONStyle: Sendable {
    /// The space between values.
    enum Layout: Sendable {
        case compact, spaced, indented
    }

    var layout: Layout
    /// Whether the members of every object come in the order of their names, byte by byte.
    var sortsKeys = false
    /// Whether control characters beyond ASCII and separators of lines, which a terminal or a reader of lines may obey, are
    /// escaped too.
    var escapesControls = false

    /// `{"a":1,"b":[2,3]}`
    public static let compact = JSONStyle(layout: .compact)
    /// `{"a": 1, "b": [2, 3]}`
    public static let spaced = JSONStyle(layout: .spaced)
    /// A line for each value, indented by two spaces a level.
    public static let indented = JSONStyle(layout: .indented)

    /// The same with the members of objects in the order of their names.
    public var sorted: JSONStyle {
        var style = self
        style.sortsKeys = true
        return style
    }

    /// The same with everything escaped that a terminal obeys.
    public var forTerminals: JSONStyle {
        var style = self
        style.escapesControls = true
        return style
    }
}

extension JSONValue {
    /// The value as JSON.
    public func text(_ style: JSONStyle = .compact) -> String { String(decoding: bytes(style), as: UTF8.self) }

    /// The same in UTF-8.
    package func bytes(_ style: JSONStyle = .compact) -> [UInt8] {
        var writer = JSONWriter(style)
        writer.append(self)
        return writer.bytes
    }
}

/// Puts a JSON text together in UTF-8. Strings are escaped as serde_json escapes them, which writes the headers of
/// safetensors: quotation marks, backslashes and the control characters of ASCII, nothing else.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private let style: JSONStyle
    private var level = 0

    init(_ style: JSONStyle = .compact) { self.style = style }

    mutating func append(_ value: JSONValue) {
        switch value {
        case .null: append(raw: "null")
        case .bool(let value): append(raw: value ? "true" : "false")
        case .number(let number): append(raw: number.literal)
        case .string(let text): append(quoted: text)
        case .array(let elements):
            append(list: elements, in: ("[", "]")) { writer, element in writer.append(element) }
        case .object(let members):
            let ordered =
                style.sortsKeys
                ? members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) } : members
            append(list: ordered, in: ("{", "}")) { writer, member in
                writer.append(quoted: member.key)
                switch writer.style.layout {
                case .compact: writer.append(raw: ":")
                case .spaced: writer.append(raw: ": ")
                case .indented: writer.append(raw: " : ")
                }
                writer.append(member.value)
            }
        }
    }

    /// Appends text that is JSON already.
    mutating func append(raw text: String) { bytes += text.utf8 }

    /// Appends a text in quotation marks.
    mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": append(raw: "\\\"")
            case "\\": append(raw: "\\\\")
            case "\u{8}": append(raw: "\\b")
            case "\u{C}": append(raw: "\\f")
            case "\n": append(raw: "\\n")
            case "\r": append(raw: "\\r")
            case "\t": append(raw: "\\t")
            case "\u{0}"..<" ": append(escaped: scalar)
            case "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                if style.escapesControls { append(escaped: scalar) } else { append(scalar) }
            default: append(scalar)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        if scalar.isASCII { bytes.append(UInt8(scalar.value)) } else { bytes += UTF8.encode(scalar)! }
    }

    /// `\uXXXX`, of a character of the basic plane.
    private mutating func append(escaped scalar: Unicode.Scalar) {
        append(raw: "\\u" + zeroPadded(scalar.value, digits: 4, radix: 16))
    }

    private mutating func append<Part>(
        list parts: [Part], in brackets: (open: String, close: String), _ write: (inout JSONWriter, Part) -> Void
    ) {
        append(raw: brackets.open)
        level += 1
        for (index, part) in parts.enumerated() {
            if index > 0 { append(raw: style.layout == .spaced ? ", " : ",") }
            startLine()
            write(&self, part)
        }
        level -= 1
        if !parts.isEmpty { startLine() }
        append(raw: brackets.close)
    }

    private mutating func startLine() {
        guard style.layout == .indented else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes += repeatElement(UInt8(ascii: " "), count: 2 * level)
    }
}
