import Foundation
import TensorIO
import TestSupport
import Testing

/// The reader of JSON: what it takes, and what it refuses where.
@Suite struct JSONReadingTests {
    private func value(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }

    @Test func readsEveryKindOfValueAndKeepsTheOrder() throws {
        let value = try value(#" {"z": [1, -2.5e-3, true, false, null], "a": {"b": "c\né\u00e9\ud83d\ude00\/"}} "#)
        #expect(value.members?.map(\.key) == ["z", "a"])
        let list = try #require(value["z"]?.elements)
        #expect(list[0].integer == 1 && list[1].double == -2.5e-3 && list[1].integer == nil)
        #expect(list[2].bool == true && list[3].bool == false && list[4].isNull)
        #expect(value["a"]?["b"]?.string == "c\néé😀/")
        #expect(value["y"] == nil && list[0]["a"] == nil && list[0].string == nil)
    }

    @Test(
        arguments: [
            ("2", 2), ("2.0", 2), ("20e-1", 2), ("-0", 0), ("9223372036854775807", Int.max), ("1.5", nil),
            ("1e30", nil),
        ] as [(String, Int?)])
    func wholeNumbersHoweverTheyAreWritten(text: String, expected: Int?) throws {
        #expect(try value(text).integer == expected)
    }

    /// No digit is lost: seeds have 64 bits, and a vocabulary's scores are doubles.
    @Test func numbersKeepTheirDigits() throws {
        let text = "[18446744073709551615,0.1,-12.345678901234567,1e+20]"
        let value = try value(text)
        #expect(value.text() == text)
        guard case .number(let seed) = try #require(value.elements?.first) else {
            Issue.record("no number")
            return
        }
        #expect(seed.integer(UInt64.self) == .max && seed.integer() == nil)
    }

    /// Keys are told apart byte by byte: to `String` the two are one.
    @Test func canonicallyEquivalentKeysAreTwo() throws {
        let value = try value("{\"\u{e9}\": 1, \"e\u{301}\": 2}")
        #expect(value.members?.count == 2 && value["e\u{301}"]?.integer == 2 && value["\u{e9}"]?.integer == 1)
    }

    @Test(
        arguments: [
            ("", 0, "a value", nil), ("{", 1, "a key", nil), ("[1", 2, "',' or ']'", nil),
            ("[1,]", 3, "a value", "']'"),
            ("{\"a\" 1}", 5, "':'", "'1'"), ("{\"a\": 1 \"b\"}", 8, "',' or '}'", "'\"'"),
            ("{a: 1}", 1, "a key", "'a'"),
            ("1 2", 2, "nothing after the value", "'2'"), ("\"a", 2, "'\"' at the end of a string", nil),
            ("\"\t\"", 1, "a string without control characters", "byte 0x9"),
            (#""\x""#, 2, "an escaped character of JSON", "'x'"), (#""\u12G4""#, 5, "four hexadecimal digits", "'G'"),
            (#""\ud800""#, 2, "a pair of surrogate escapes", "a lone surrogate"),
            (#""\ude00\ud83d""#, 2, "a pair of surrogate escapes", "a lone surrogate"),
            ("01", 0, "a value", "a leading zero"), ("1.", 2, "a digit", nil), (".5", 0, "a value", "'.'"),
            ("+1", 0, "a value", "'+'"), ("1e", 2, "a digit", nil), ("0x10", 1, "nothing after the value", "'x'"),
            ("NaN", 0, "a value", "'N'"), ("-Infinity", 1, "a value", "'I'"), ("tru", 0, "a value", "'t'"),
            ("1e999", 0, "a number of 64-bit floating point", "1e999"),
            (#"{"a": 1, "a": 2}"#, 9, "each key once", "'a' twice"),
            (#"[{"b": {"a\u0061": 1, "aa": 2}}]"#, 22, "each key once", "'aa' twice"), ("'a'", 0, "a value", "'''"),
            ("[1] // no", 4, "nothing after the value", "'/'"), ("\u{FEFF}1", 0, "a value", "byte 0xef"),
        ] as [(String, Int, String, String?)])
    func faultsNameTheByte(text: String, position: Int, expected: String, found: String?) {
        let fault = #expect(throws: JSONFault.self) { try value(text) }
        #expect(fault?.position == position && fault?.expected == expected, "\(fault?.description ?? "")")
        #expect(fault?.found == found, "\(fault?.description ?? "")")
    }

    @Test func bytesThatAreNoUTF8AreRefused() {
        let fault = #expect(throws: JSONFault.self) { try JSONValue(parsing: [0x22, 0x61, 0xFF, 0x22]) }
        #expect(fault?.expected == "a string in UTF-8")
    }

    @Test(arguments: ["[", "{\"a\":"]) func nestingIsBounded(open: String) throws {
        let close = open == "[" ? "]" : "}"
        func nested(_ count: Int) -> String {
            String(repeating: open, count: count) + "1" + String(repeating: close, count: count)
        }
        _ = try value(nested(64))
        let fault = #expect(throws: JSONFault.self) { try value(nested(65)) }
        #expect(fault?.expected == "nesting of at most 64 levels")
        #expect(throws: JSONFault.self) { try value(String(repeating: open, count: 1 << 20)) }
    }

    /// A hundred keys go into a hash table, where a few do not.
    @Test func repeatedKeysAreSeenAmongMany() {
        let keys = (0..<100).map { "\"k\($0)\": \($0)" } + ["\"k57\": 0"]
        let fault = #expect(throws: JSONFault.self) { try value("{" + keys.joined(separator: ", ") + "}") }
        #expect(fault?.isRepeatedKey == true && fault?.found == "'k57' twice")
    }

    @Test func nodesNameTheirPlaceInTheFile() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "a.json").path
        try Data(#"{"a": {"b": [1, {"c\n": "x"}]}}"#.utf8).write(to: URL(filePath: path))
        let list = try JSONNode(file: path).required("a", "an object").required("b", "a list").elements()
        let inner = try #require(try list[1].members().first?.value)
        #expect(inner.key == #"a.b[1].c\n"#)
        #expect(inner.fault(expected: "a number").description == path + #": a.b[1].c\n: expected a number, found 'x'"#)
        try Data("{".utf8).write(to: URL(filePath: path))
        let error = #expect(throws: FileError.self) { try JSONNode(file: path) }
        #expect(error?.key == "byte 1" && error?.expected == "JSON: a key" && error?.found == "the end of the file")
    }
}
