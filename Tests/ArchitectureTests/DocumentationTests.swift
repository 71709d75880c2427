import Foundation
import Testing

private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// The text of every file below a folder whose name ends so, by its path.
private func texts(_ folder: String, suffix: String) throws -> [String: String] {
    let place = root.appending(path: folder)
    let names = try FileManager.default.subpathsOfDirectory(atPath: place.path)
        .filter { $0.hasSuffix(suffix) && !$0.contains(".build") }
    return try Dictionary(
        uniqueKeysWithValues: names.map {
            ("\(folder)/\($0)", try String(contentsOf: place.appending(path: $0), encoding: .utf8))
        })
}

/// The code of the documentation's pages is that of the programs in `Examples`, which are built and run.
@Suite struct DocumentationTests {
    @Test func theCodeOfThePagesIsThatOfTheExamples() throws {
        let examples = try texts("Examples/Sources", suffix: ".swift")
        let pages = try texts("Documentation", suffix: ".md").filter { $0.key.contains(".docc/") }
        #expect(examples.count >= 4 && pages.count >= 8)
        var quoted = Set<String>()
        for (path, page) in pages {
            for block in page.matches(of: /```swift\n((?:.|\n)*?)```/) {
                let code = String(block.1)
                let source = examples.first { $0.value.contains(code) }?.key
                #expect(source != nil, "\(path): code that is in no file of Examples/Sources:\n\(code)")
                if let source { quoted.insert(source) }
            }
        }
        #expect(quoted.count == examples.count, "no page quotes \(Set(examples.keys).subtracting(quoted))")
    }

    @Test func examplesAreShort() throws {
        for (path, text) in try texts("Examples/Sources", suffix: ".swift") {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
            #expect(lines <= 60, "\(path) has \(lines) lines")
        }
    }

    @Test func theReadmeOfTheExamplesNamesEachOfThem() throws {
        let page = try String(contentsOf: root.appending(path: "Examples/README.md"), encoding: .utf8)
        let script = try String(contentsOf: root.appending(path: "Scripts/check_examples.sh"), encoding: .utf8)
        for path in try texts("Examples/Sources", suffix: ".swift").keys {
            let name = path.split(separator: "/")[2]
            #expect(page.contains("`\(name)`"), "Examples/README.md misses \(name)")
            #expect(script.contains("run \(name) "), "Scripts/check_examples.sh does not run \(name)")
        }
    }

    /// Every link of a catalogue leads to a page of it; symbols are named, not linked, since they are other modules'.
    @Test func linksOfTheCataloguesLeadToPages() throws {
        for product in ["DiptychCore", "Diptych"] {
            let pages = try texts("Documentation/\(product)/\(product).docc", suffix: ".md")
            let names = Set(pages.keys.map { URL(filePath: $0).deletingPathExtension().lastPathComponent })
            #expect(pages.count == 4)
            for (path, page) in pages {
                for link in page.matches(of: /<doc:(\w+)>/) {
                    #expect(names.contains(String(link.1)), "\(path): no page \(link.1)")
                }
            }
        }
    }
}
