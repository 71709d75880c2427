import Foundation
import TensorIO
import TestSupport
import Testing

struct TextFileTests {
    @Test(
        arguments: [
            ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\r\n", ["a"]), ("a\r", ["a"]), ("\n", [""]),
            ("\r\n\r\n", ["", ""]),
            ("a\n\rb", ["a", "", "b"]), ("a\r\nb\nc\rd", ["a", "b", "c", "d"]),
            ("é\r\n\u{301}e\u{2028}f\u{B}g", ["é", "\u{301}e\u{2028}f\u{B}g"]),
        ])
    func linesEndInLFAndCRLFAndCR(text: String, lines: [String]) {
        #expect(TextFile.lines(of: text).map(String.init) == lines)
    }

    @Test func theMarkOfByteOrderIsNoText() throws {
        try withScratchFolder { folder in
            try writeFile([0xEF, 0xBB, 0xBF, 0x61, 0x0D, 0x0A], to: folder + "/a.txt")
            let file = try TextFile(contentsOf: folder + "/a.txt")
            #expect(file.text.utf8.elementsEqual("a\r\n".utf8))
            #expect(file.lines == ["a"])
        }
    }

    struct Fault: Sendable {
        var bytes: [UInt8]
        var line = 1, column = 1
        var found: String
    }

    static let remedy = " (save the file as UTF-8)"

    static let faults = [
        Fault(bytes: [0xFF, 0xFE, 0x7B, 0, 0x22, 0], found: "UTF-16 (little-endian)" + remedy),
        Fault(bytes: [0xFE, 0xFF, 0, 0x7B], found: "UTF-16 (big-endian)" + remedy),
        Fault(bytes: [0x7B, 0, 0x22, 0, 0x61, 0], found: "UTF-16 (little-endian)" + remedy),
        Fault(bytes: [0, 0x7B, 0, 0x22, 0, 0x61], found: "UTF-16 (big-endian)" + remedy),
        Fault(bytes: [0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0], found: "UTF-32" + remedy),
        Fault(
            bytes: Array("aé\r\nü\rxö".utf8) + [0xE9, 0x20], line: 3, column: 3,
            found: "the byte E9, 'é' of Windows-1252 (cp1252)" + remedy),
        Fault(
            bytes: [0xEF, 0xBB, 0xBF, 0x61, 0x0A, 0x0A, 0x80], line: 3, column: 1,
            found: "the byte 80, '€' of Windows-1252 (cp1252)" + remedy),
        Fault(bytes: [0x61, 0x9F], column: 2, found: "the byte 9F, 'Ÿ' of Windows-1252 (cp1252)" + remedy),
        // The word "cat" in Chinese, twice, of GBK; of Windows-1252 it would be a row of capitals.
        Fault(
            bytes: [0x61, 0xC3, 0xA8, 0xC3, 0xA8, 0xB0, 0xA1], column: 4,
            found: "the byte B0 of another encoding" + remedy),
        Fault(bytes: [0x61, 0x81, 0x62], column: 2, found: "the byte 81 of another encoding" + remedy),
        Fault(bytes: Array("ab ".utf8) + [0xE4, 0xBD], column: 4, found: "the end of the file within a character"),
        Fault(
            bytes: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x41, 0x42, 0x43],
            found: "the byte 89 of a binary file"),
        Fault(
            bytes: Array("ab\ncd".utf8) + [0] + Array("efghi".utf8), line: 2, column: 3,
            found: "a zero byte, as in no text"),
        // An overlong form, half a surrogate pair and a number above the last character.
        Fault(bytes: [0xC0, 0xAF, 0xC0, 0xAF], found: "the byte C0 of another encoding" + remedy),
        Fault(bytes: [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80], found: "the byte ED of another encoding" + remedy),
        Fault(bytes: [0xF4, 0x90, 0x80, 0x80], found: "the byte F4 of another encoding" + remedy),
    ]

    @Test(arguments: faults)
    func otherEncodingsAreNamedWithTheirPlace(fault: Fault) {
        let error = fileError { _ = try TextFile(decoding: fault.bytes, path: "list.txt") }
        #expect(error?.key == "line \(fault.line), column \(fault.column)")
        #expect(error?.expected == "text in UTF-8")
        #expect(error?.found == fault.found)
    }

    @Test func aPartOfAFileIsNamed() {
        let error = fileError { _ = try TextFile(decoding: [0xFF, 0xFE, 0x41, 0], path: "a.tar", key: "0001") }
        #expect(
            error?.description.hasPrefix("a.tar: 0001: line 1, column 1: expected text in UTF-8, found UTF-16") == true)
    }

    @Test func whatIsNoFileIsRefused() throws {
        try withScratchFolder { folder in
            func found(_ name: String, most: Int = 10) -> String? {
                fileError { _ = try TextFile(contentsOf: folder + "/" + name, maximumByteCount: most) }?.found
            }
            #expect(found("none") == "no such file")
            #expect(found("") == "a folder")
            try writeFile(Array(repeating: 0x61, count: 11), to: folder + "/long")
            #expect(found("long") == "11 bytes (at most 10)")
            #expect(try TextFile(contentsOf: folder + "/long", maximumByteCount: 11).lines == ["aaaaaaaaaaa"])
            #expect(
                fileError { _ = try TextFile(contentsOf: "/dev/zero", maximumByteCount: 1 << 17) }?.found
                    == "more than 131072 bytes")
        }
    }
}
