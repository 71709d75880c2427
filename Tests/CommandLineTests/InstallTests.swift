import Foundation
import TestSupport
import Testing

/// What `make install` puts where, on a prefix of its own.
@Suite struct InstallTests {
    private let checkout = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()

    private func run(_ program: String, _ arguments: [String], _ environment: [String: String] = [:]) throws
        -> (status: Int32, output: String)
    {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.currentDirectoryURL = checkout
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }

    private func files(_ folder: URL) -> Set<String> {
        var isFolder: ObjCBool = false
        let names = FileManager.default.subpaths(atPath: folder.path) ?? []
        return Set(
            names.filter {
                FileManager.default.fileExists(atPath: folder.appending(path: $0).path, isDirectory: &isFolder)
                    && !isFolder.boolValue
            })
    }

    @Test func aPrefixOfItsOwn() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = try #require(Program.path)
        let script = checkout.appending(path: "Scripts/install.sh").path
        let place = ["DESTDIR": folder.path, "PREFIX": "/opt/a b"]
        let page = folder.appending(path: "opt/a b/share/man/man1/diptych-gone.1")
        try FileManager.default.createDirectory(
            at: page.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data("of an older version".utf8).write(to: page)

        let installed = try run(script, [program], place)
        #expect(installed.status == 0, "\(installed.output)")
        let root = "opt/a b/"
        let pages = try ["diptych"] + CommandTree.visible().map { "diptych-" + $0.replacing(" ", with: "-") }
        #expect(pages.contains("diptych-data-check") && pages.contains("diptych-train"))
        let expected =
            pages.map { "share/man/man1/\($0).1" } + [
                "bin/diptych", "share/bash-completion/completions/diptych", "share/zsh/site-functions/_diptych",
                "share/fish/vendor_completions.d/diptych.fish",
            ]
        #expect(files(folder) == Set(expected.map { root + $0 }))
        let version = try run(folder.appending(path: root + "bin/diptych").path, ["--version"])
        #expect(try version.status == 0 && version.output == Program.run(["--version"]).output)

        let text = try String(
            contentsOf: folder.appending(path: root + "share/man/man1/diptych-quantize.1"), encoding: .utf8)
        #expect(text.hasPrefix(#".TH "DIPTYCH-QUANTIZE" 1 "#) && text.contains("\n.SH EXAMPLES\n"))
        #expect(text.contains(#"\fB\-\-type\fR \fItype\fR"#) && text.contains("Values: ") && text.contains("q4_k"))
        // A macro of man(7), or text: no line begins with a dot or an apostrophe by chance.
        let macros: Set = ["TH", "SH", "PP", "TP", "nf", "fi"]
        for line in text.split(separator: "\n") where line.hasPrefix(".") || line.hasPrefix("'") {
            #expect(macros.contains(String(line.dropFirst().prefix { $0.isLetter })), "\(line)")
        }
        let bash = folder.appending(path: root + "share/bash-completion/completions/diptych").path
        #expect(try run("bash", ["-n", bash]).status == 0)
        let words = try String(contentsOfFile: bash, encoding: .utf8)
        for word in ["q4_k", "lora-moe", "in_context", "training.steps="] { #expect(words.contains(word), "\(word)") }

        #expect(try run(script, ["--uninstall"], place).status == 0)
        #expect(files(folder).isEmpty)
    }

    @Test func makePassesThePlacesOn() throws {
        for target in ["install", "uninstall"] {
            let plan = try run("make", ["-n", target, "PREFIX=/opt/x", "DESTDIR=/tmp/y"])
            #expect(plan.status == 0, "\(plan.output)")
            #expect(plan.output.contains(#"PREFIX="/opt/x" DESTDIR="/tmp/y" Scripts/install.sh "#), "\(plan.output)")
        }
    }
}
