import Foundation
import Testing

private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// The pages for people: those of the root, of `Documentation` and of the folders of data.
private func pages() throws -> [String: String] {
    let single = [
        "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "Checkpoints/README.md",
        "Datasets/README.md", "Datasets/photo-edits/README.md",
    ]
    let documentation = try FileManager.default.subpathsOfDirectory(
        atPath: root.appending(path: "Documentation").path
    ).filter { $0.hasSuffix(".md") && !$0.contains(".docc/") }.map { "Documentation/\($0)" }
    return try Dictionary(
        uniqueKeysWithValues: (single + documentation).map {
            ($0, try String(contentsOf: root.appending(path: $0), encoding: .utf8))
        })
}

/// The anchors of a page's headings, as GitHub makes them.
private func anchors(_ page: String) -> Set<String> {
    var isCode = false
    var found: Set<String> = []
    for line in page.split(separator: "\n") {
        if line.hasPrefix("```") { isCode.toggle() }
        guard !isCode, line.hasPrefix("#") else { continue }
        let title = line.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces).lowercased()
        found.insert(
            String(
                title.compactMap { character in
                    if character == " " { return "-" }
                    return character.isLetter || character.isNumber || "-_".contains(character) ? character : nil
                }))
    }
    return found
}

/// What the pages point at is there.
@Suite struct PagesTests {
    @Test func everyLinkLeadsSomewhere() throws {
        let pages = try pages()
        var links = 0
        for (name, page) in pages {
            for match in page.matches(of: /\]\(([^)\s]+)\)/) where !match.1.hasPrefix("http") {
                links += 1
                let parts = match.1.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let folder = root.appending(path: name).deletingLastPathComponent()
                let target = parts[0].isEmpty ? root.appending(path: name) : folder.appending(path: String(parts[0]))
                guard FileManager.default.fileExists(atPath: target.standardizedFileURL.path) else {
                    Issue.record("\(name): the link \(match.1) leads to no file")
                    continue
                }
                guard parts.count == 2 else { continue }
                let text = try String(contentsOf: target.standardizedFileURL, encoding: .utf8)
                #expect(anchors(text).contains(String(parts[1])), "\(name): \(match.1) leads to no heading")
            }
        }
        #expect(links > 100, "only \(links) links found: is the pattern still right?")
    }

    @Test func everyFileThatIsNamedIsThere() throws {
        let folders = "Sources|Tests|Scripts|Benchmarks|Fuzz|Configs|Documentation|Examples"
        let pattern = try Regex("`((?:\(folders))/[^`\\s*{…]+)`", as: (Substring, Substring).self)
        for (name, page) in try pages() where name != "CHANGELOG.md" {
            for match in page.matches(of: pattern) {
                let place = root.appending(path: String(match.output.1)).path
                #expect(FileManager.default.fileExists(atPath: place), "\(name) names \(match.output.1)")
            }
        }
    }

    @Test func everyDecisionIsLinked() throws {
        let page = try String(contentsOf: root.appending(path: "ARCHITECTURE.md"), encoding: .utf8)
        let folder = "Documentation/Decisions"
        let names = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path).sorted()
        for (place, name) in names.enumerated() {
            #expect(page.contains("(\(folder)/\(name))"), "ARCHITECTURE.md does not link \(name)")
            // Numbers run without a gap, and a page's title has its file's.
            let text = try String(contentsOf: root.appending(path: "\(folder)/\(name)"), encoding: .utf8)
            #expect(Int(name.prefix(4)) == place + 1, "\(name) is number \(place + 1)")
            #expect(text.hasPrefix("# \(place + 1). "), "\(name) begins with another number")
            for part in ["**Context.**", "**Decision.**", "**Consequences.**"] {
                #expect(text.contains("\n\(part) "), "\(name) lacks \(part)")
            }
        }
    }

    @Test func pagesAreShort() throws {
        let pages = try pages()
        for (name, most) in [("README.md", 150), ("ARCHITECTURE.md", 120)] {
            let count = try #require(pages[name]).split(separator: "\n", omittingEmptySubsequences: false).count - 1
            #expect(count <= most, "\(name) has \(count) lines, more than \(most)")
        }
    }
}
