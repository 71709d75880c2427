import Foundation
import TensorIO
import Testing

/// `Codable` values through JSON, beside what Foundation makes of the same ones.
@Suite struct JSONCodingTests {
    private enum Shape: Codable, Equatable {
        case circle(radius: Float)
        case named(String, Int)
        case none
    }

    private struct Inner: Codable, Equatable {
        var flags: [Bool]
        var maybe: Double?
        var byName: [String: Int]
    }

    private struct Outer: Codable, Equatable {
        var topK = 3
        var seed: UInt64 = .max
        var small: Int8 = -7
        var shapes: [Shape] = [.circle(radius: 0.1), .named("a/b", 2), .none]
        var inner = Inner(flags: [true, false], maybe: nil, byName: ["aB": 1])
        var grid = [[1.5, 2], []]
        var isURLOfPage = true
    }

    private let value = Outer()

    @Test func valuesSurvive() throws {
        let json = try JSONValue(encoding: value)
        #expect(try json.decoded(as: Outer.self) == value)
        #expect(try JSONValue.decoding(Outer.self, from: json.bytes(.indented)) == value)
        #expect(json.members?.map(\.key).first == "topK" && json["inner"]?["maybe"] == nil)
    }

    @Test func foundationReadsAndWritesTheSame() throws {
        let json = try JSONValue(encoding: value)
        #expect(try JSONDecoder().decode(Outer.self, from: Data(json.bytes())) == value)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        #expect(String(decoding: try encoder.encode(value), as: UTF8.self) == json.text(.compact.sorted))
        #expect(try JSONValue.decoding(Outer.self, from: encoder.encode(value)) == value)
    }

    /// Names of properties change, keys of dictionaries do not.
    @Test func snakeCaseIsThatOfFoundation() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let json = try JSONValue(encoding: value, JSONCoding(usesSnakeCase: true))
        #expect(String(decoding: try encoder.encode(value), as: UTF8.self) == json.text(.compact.sorted))
        #expect(json["top_k"] == 3 && json["inner"]?["by_name"] == ["aB": 1] && json["is_url_of_page"] == true)
    }

    @Test func numbersThatJSONLacksAreTextsOrRefused() throws {
        let numbers = [Double.nan, .infinity, -.infinity, 1]
        let coding = JSONCoding(writesNonFiniteAsText: true)
        let json = try JSONValue(encoding: numbers, coding)
        #expect(json.text() == #"["nan","inf","-inf",1]"#)
        let back = try json.decoded(as: [Double].self, coding)
        #expect(back[0].isNaN && back[1...] == numbers[1...])
        #expect(throws: EncodingError.self) { try JSONValue(encoding: numbers) }
        #expect(throws: DecodingError.self) { try json.decoded(as: [Double].self) }
    }

    /// The place of a fault, as Swift's decoders name it.
    @Test(arguments: [
        ("{\"flags\": [true, 1], \"byName\": {}}", ["flags", "1"]), ("{\"flags\": []}", []),
        ("{\"flags\": [], \"byName\": {\"a\": 1.5}}", ["byName", "a"]), ("{\"flags\": [], \"byName\": []}", ["byName"]),
        ("{\"flags\": [], \"byName\": {\"a\": 9223372036854775808}}", ["byName", "a"]), ("[]", []), ("{", []),
    ])
    func faultsNameTheirPlace(text: String, path: [String]) {
        let error = #expect(throws: DecodingError.self) { try JSONValue.decoding(Inner.self, from: text.utf8) }
        let context: DecodingError.Context? =
            switch error {
            case .keyNotFound(_, let context), .typeMismatch(_, let context), .valueNotFound(_, let context),
                .dataCorrupted(let context):
                context
            default: nil
            }
        #expect(context?.codingPath.map(\.stringValue) == path)
    }

    @Test func numbersMustFitTheirTypes() {
        #expect(throws: DecodingError.self) { try JSONValue.decoding(Int8.self, from: "128".utf8) }
        #expect(throws: DecodingError.self) { try JSONValue.decoding(UInt.self, from: "-1".utf8) }
        #expect(throws: DecodingError.self) { try JSONValue.decoding(Float.self, from: "1e39".utf8) }
        #expect(throws: DecodingError.self) { try JSONValue.decoding(Bool.self, from: "1".utf8) }
    }
}
