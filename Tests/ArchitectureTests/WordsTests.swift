import Foundation
import Testing

/// Words that were private to this project, each with the field's term that took its place: they do not come back, in names, in
/// help texts, in comments or on pages.
@Suite struct WordsTests {
    /// A word as an expression, and what to say instead.
    private static let banned: [(pattern: String, instead: String)] = [
        (#"\b[Aa]rrangements?\b|Arrangement"#, "panel layout, or key mapping"),
        (#"Rearranged"#, "key-mapped"),
        (#"\b[Ww]ays? (down|up)\b|\bsideProduct\b"#, "down projection, up projection, low-rank update"),
        (#"\b[Ss]lopes?\b"#, "gradient or derivative"),
        (#"\binBands\b|TokenBands"#, "feed-forward chunking"),
        (#"\bBlockPool\b|\b[Bb]lock pool\b"#, "caching allocator"),
        (#"SideOutput|\b[Ss]ide outputs?\b"#, "auxiliary outputs"),
        (#"\bPatchProduct\b|\bLibraryChoice\b|\bLibraryProduct\b"#, "ImplicitGEMM, OneDNNPolicy, OneDNNMatmul"),
        (#"\b[Uu]nrolledConvolution\b|\bwholeAttention\b"#, "im2col, unfused attention"),
        (#"model is told\b"#, "what the model is given; guidance scale, fed to the guidance embedding"),
        (#"diptych static\b"#, "diptych flatten-moe"),
    ]
    /// What old files and old command lines still say, and what means something else.
    private static let allowed = [
        #""diptych.arrangement""#, #""data.arrangement""#, #".customLong("arrangement")"#,
        // Of a line in a picture.
        "Sources/DiptychData/Scenes/Raster/Canvas.swift",
    ]

    private static var root: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    /// Every line of the sources and the pages, but for the history.
    private static func lines() throws -> [(place: String, text: String)] {
        let files = try #require(FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
        var lines: [(place: String, text: String)] = []
        for case let file as URL in files {
            let path = String(file.path.dropFirst(root.path.count + 1))
            if path.hasPrefix(".") { files.skipDescendants() }
            let isSource =
                (path.hasPrefix("Sources/") || path.hasPrefix("Examples/Sources/")) && path.hasSuffix(".swift")
            let isPage = path.hasSuffix(".md") && path != "CHANGELOG.md" && !path.hasPrefix("Tests/")
            guard isSource || isPage else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                lines.append(("\(path):\(number + 1)", String(line)))
            }
        }
        return lines
    }

    private static func faults(_ lines: [(place: String, text: String)]) throws -> [String] {
        // Simple boundaries: by Unicode's, `BlockPool.take` is one word.
        let patterns = try banned.map { (try Regex($0.pattern).wordBoundaryKind(.simple), $0.instead) }
        return lines.flatMap { line in
            patterns.compactMap { pattern, instead -> String? in
                guard let match = line.text.firstMatch(of: pattern) else { return nil }
                if allowed.contains(where: { line.text.contains($0) || line.place.hasPrefix($0) }) { return nil }
                return "\(line.place): '\(line.text[match.range])', say \(instead)"
            }
        }
    }

    @Test func privateWordsDoNotComeBack() throws {
        let lines = try Self.lines()
        #expect(lines.count > 20_000, "\(lines.count) lines were read")
        for fault in try Self.faults(lines) { Issue.record("\(fault)") }
    }

    @Test func everyWordIsFound() throws {
        let examples = [
            "the arrangement of panels", "RearrangedArchive", "the way down", "slopes", "inBands(2)", "BlockPool.take",
            "SideOutputs", "PatchProduct", "unrolledConvolution", "guidance that the model is told",
            "diptych static a b",
        ]
        #expect(examples.count == Self.banned.count)
        for example in examples { #expect(try Self.faults([("x", example)]).count == 1, "\(example)") }
        #expect(try Self.faults([("x", #"formerKey: "data.arrangement""#)]).isEmpty)
    }
}
