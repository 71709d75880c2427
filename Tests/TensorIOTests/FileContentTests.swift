import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// What files of other kinds are called.
@Suite struct FileContentTests {
    private func name(_ bytes: [UInt8]) -> String? { bytes.withUnsafeBytes { FileContent.name(of: $0) } }

    @Test(arguments: [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a Git LFS pointer instead of the file"),
        ("<!doctype HTML><html>", "a web page (HTML)"), ("\u{FEFF}\r\n <html lang=en>", "a web page (HTML)"),
        ("GGUF\u{3}\u{0}\u{0}\u{0}", "a GGUF file"), ("PK\u{3}\u{4}\u{14}\u{0}", "a ZIP archive, as PyTorch's"),
        ("GIF89a\u{1}", "a GIF file"), ("%PDF-1.7\n", "a PDF file"), ("PAR1\u{15}\u{4}", "a Parquet file"),
        (#"{"a": 1}"#, #"JSON that begins with '{"a": 1}'"#), ("\n\n[1, 2]", "JSON that begins with '[1, 2]'"),
        ("größer als\tall das, was hier stehen kann", "text that begins with 'größer als\\tall das, was …'"),
        ("\n\n\n\n", "empty lines"),
    ])
    func contents(text: String, begin: String) {
        #expect(name(Array(text.utf8))?.hasPrefix(begin) == true, "\(name(Array(text.utf8)) ?? "nothing")")
    }

    @Test func bytesThatSayNothing() {
        #expect(name([]) == "an empty file")
        for bytes: [UInt8] in [
            [0x41, 0x42], [1, 2, 3, 4, 5], [0x61, 0x62, 0x63, 0xFF, 0xFE], Array("abcd\u{1B}[2J".utf8),
        ] {
            #expect(name(bytes) == nil, "\(bytes)")
        }
    }

    @Test func whatIsExpectedIsNotNamed() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "x.safetensors").path
        try SafetensorsFile.write([("a", Tensor(zeros: [2]))], metadata: [:], to: path)
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        #expect(name(bytes) == "a safetensors file")
        #expect(bytes.withUnsafeBytes { FileContent.name(of: $0, besides: "a safetensors file") } == nil)
        #expect(fileError { _ = try GGUFFile(path: path) }?.found == "a safetensors file")
        #expect(fileError { _ = try HDF5File(reading: path) }?.found == "a safetensors file")
    }

    /// A long text is cut inside a character by the look at its beginning alone.
    @Test func aCharacterAtTheCut() {
        for shift in 0..<4 {
            let text = String(repeating: "x", count: shift) + String(repeating: "€", count: 200)
            #expect(name(Array(text.utf8))?.hasPrefix("text that begins with '") == true)
            #expect(name(Array(text.utf8).dropLast()) == name(Array(text.utf8)))
        }
        #expect(name(Array("abcd€".utf8).dropLast()) == nil)
    }
}
