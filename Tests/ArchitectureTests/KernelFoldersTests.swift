import Foundation
import Testing

private let kernels = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Sources/CKernels")

/// The folder that a public header belongs to; nil for what every folder may include.
private let folderOfHeader: [String: String?] = [
    "element_type.h": nil, "instruction_set.h": "processor", "processor.h": "processor", "pages.h": "memory",
    "thread_pool.h": "threads", "matrix_unit_emulation.h": "matrix_unit", "quantization.h": "quantization",
    "elements.h": "elementwise", "rows.h": "elementwise", "gemm.h": "gemm", "attention.h": "attention",
    "convolution.h": "convolution",
]

/// A file of CKernels, with its folder and the files that it includes in quotation marks.
private struct KernelFile {
    let path: String
    let text: String

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
    var parts: [String] { path.split(separator: "/").map(String.init) }
    var folder: String? { parts[0] == "include" ? folderOfHeader[name] ?? nil : parts[0] }
    var includes: [String] { text.matches(of: /(?m)^#include "([^"]+)"/).map { String($0.1) } }

    /// The folder of an included file; nil for what every folder may include.
    func folder(of include: String) -> String? {
        if let header = folderOfHeader[include] { return header }
        return include.contains("/") ? String(include.prefix { $0 != "/" }) : folder
    }

    static func all() throws -> [KernelFile] {
        try FileManager.default.subpathsOfDirectory(atPath: kernels.path)
            .filter { $0.hasSuffix(".c") || $0.hasSuffix(".h") || $0.hasSuffix(".inc") }
            .map { KernelFile(path: $0, text: try String(contentsOf: kernels.appending(path: $0), encoding: .utf8)) }
    }
}

/// The folders of `Sources/CKernels/README.md`: include lines run one way, and names follow one rule.
@Suite struct KernelFoldersTests {
    /// What each folder may include, from the README's table.
    private static func table() throws -> [String: Set<String>] {
        let page = try String(contentsOf: kernels.appending(path: "README.md"), encoding: .utf8)
        var table: [String: Set<String>] = [:]
        for line in page.matches(of: /(?m)^\| `(\w+)\/` \|.*\|([^|]*)\|$/) {
            table[String(line.1)] = Set(line.2.matches(of: /`(\w+)`/).map { String($0.1) })
        }
        return table
    }

    @Test func everyFolderStandsInTheTable() throws {
        let folders = Set(try KernelFile.all().map { $0.parts[0] }).subtracting(["include"])
        #expect(Set(try Self.table().keys) == folders)
        let headers = try KernelFile.all().filter { $0.parts[0] == "include" }.map(\.name)
        #expect(Set(headers) == Set(folderOfHeader.keys))
    }

    @Test func includesFollowTheTable() throws {
        let table = try Self.table()
        var crossing = 0
        for file in try KernelFile.all() {
            for include in file.includes {
                guard let own = file.folder, let other = file.folder(of: include), own != other else { continue }
                crossing += 1
                #expect(
                    table[own]?.contains(other) == true,
                    "\(file.path) includes \(include): \(own)/ may not include \(other)/")
            }
        }
        #expect(crossing > 30, "\(crossing) includes between folders found: is the pattern still right?")
    }

    @Test func theTableHasNoCircle() throws {
        var left = try Self.table()
        while let next = left.first(where: { $0.value.isDisjoint(with: left.keys) }) { left[next.key] = nil }
        #expect(left.isEmpty, "folders that include each other: \(left.keys.sorted())")
    }

    @Test func filesAreNamedByOneRule() throws {
        for file in try KernelFile.all() {
            #expect(file.name.wholeMatch(of: /[a-z][a-z0-9_]*\.(c|h|inc)/) != nil, "\(file.path) is not in snake_case")
            for include in file.includes {
                #expect(!include.hasSuffix(".c"), "\(file.path) includes \(include): templated text is .inc")
            }
        }
    }

    /// Functions and tables that the linker sees, of all files.
    @Test func externalNamesHaveThePrefix() throws {
        var found = 0
        let definition = /(?m)^(?!static|typedef|extern|INLINE|WIDE|KERNEL|\w+\()((?:\w+[ *]+)+)(\w+)\([^;{]*[;{]/
        for file in try KernelFile.all() {
            for match in file.text.matches(of: definition) where !match.0.contains("static ") {
                found += 1
                #expect(match.2.hasPrefix("diptych_"), "\(file.path): \(match.2) is external without the prefix")
            }
            for match in file.text.matches(of: /(?m)^extern const (?:struct )?\w+ ([\w, \n]+);/) {
                for name in match.1.split(whereSeparator: { ", \n".contains($0) }) {
                    found += 1
                    #expect(name.hasPrefix("diptych_"), "\(file.path): \(name) is external without the prefix")
                }
            }
        }
        #expect(found > 60, "\(found) external names found: is the pattern still right?")
    }
}
