import Foundation
import TensorIO
import TestSupport
import Testing

/// The writer of JSON: layouts, escapes and numbers.
@Suite struct JSONWritingTests {
    private let value: JSONValue = ["b": [1, 2.5, []], "a": ["x": true, "é": "q\"\\\n\u{1}\u{7F}/", "y": [:]]]

    @Test func layouts() throws {
        let compact = #"{"b":[1,2.5,[]],"a":{"x":true,"é":"q\"\\\n\u0001"# + "\u{7F}" + #"/","y":{}}}"#
        #expect(value.text() == compact)
        #expect(try JSONValue(parsing: compact) == value)
        let numbers: JSONValue = ["b": [1, 2], "a": 3]
        #expect(numbers.text(.spaced) == #"{"b": [1, 2], "a": 3}"#)
        #expect(numbers.text(.compact.sorted) == #"{"a":3,"b":[1,2]}"#)
        #expect(numbers.text(.indented.sorted) == "{\n  \"a\" : 3,\n  \"b\" : [\n    1,\n    2\n  ]\n}")
    }

    /// Foundation reads every layout as the same value.
    @Test(arguments: [JSONStyle.compact, .spaced, .indented, .indented.sorted.forTerminals])
    func othersReadItToo(style: JSONStyle) throws {
        let object = try JSONSerialization.jsonObject(with: Data(value.bytes(style)))
        let fields = try #require((object as? [String: Any])?["a"] as? [String: Any])
        #expect(fields["é"] as? String == "q\"\\\n\u{1}\u{7F}/")
    }

    @Test func whatATerminalObeysIsEscapedWhereItIsAskedFor() {
        let text = JSONValue.string("\u{1B}\u{9B}2J\u{2028}é")
        #expect(text.text() == "\"\\u001b\u{9B}2J\u{2028}é\"")
        #expect(text.text(.compact.forTerminals) == #""\u001b\u009b2J\u2028é""#)
    }

    @Test func numbersAreTheShortestThatReadBack() throws {
        #expect(JSONValue(2.0).text() == "2" && JSONValue(-0.1).text() == "-0.1" && JSONValue(.nan) == .null)
        #expect(JSONNumber(2.0, keepsFraction: true)?.literal == "2.0" && JSONNumber(Float(0.1))?.literal == "0.1")
        #expect(JSONNumber(Double.infinity) == nil && JSONNumber(-Float.infinity) == nil)
        for number in [1e22, 1e-7, .pi, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0, 0x1p53] {
            #expect(try JSONValue(parsing: JSONValue(number).text()).double?.bitPattern == number.bitPattern)
        }
    }

    @Test func fieldsComeInTheOrderOfTheirNamesWithoutThoseThatAreNil() {
        #expect(JSONValue(fields: ["b": 1, "a": nil, "B": "x", "é": .null]).text() == #"{"B":"x","b":1,"é":null}"#)
    }
}
