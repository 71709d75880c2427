import ArgumentParser
import Foundation
import TensorIO
import Training

/// `diptych manual -o DIR`: what `make install` calls.
struct ManualCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "manual",
        abstract: "Writes a manual page for the program and for each command, made of their help.",
        examples: [CommandExample("read one without installing it", "diptych manual -o man")],
        shouldDisplay: false)

    @OptionGroup var common: CommonOptions

    @Option(name: .output, help: "The folder for the pages, diptych.1 and so on.", completion: .directory)
    var output: String

    func run() throws {
        let description = try JSONValue.decoding(ToolDescription.self, from: DiptychCommand._dumpHelp().utf8)
        try createFolder(output)
        for page in ManualPage.pages(of: description.command) {
            try AtomicFile.write(to: "\(output)/\(page.name).1") { try $0.write(Array(page.text.utf8)) }
        }
    }
}

/// The parts of ArgumentParser's description of a program that a manual page shows.
private struct ToolDescription: Decodable {
    var command: Command

    struct Command: Decodable {
        var commandName: String
        var abstract: String?
        var discussion: String?
        var shouldDisplay: Bool?
        var subcommands: [Command]?
        var arguments: [Argument]?
    }

    struct Argument: Decodable {
        var kind: String
        var shouldDisplay: Bool
        var isOptional: Bool
        var isRepeating: Bool
        var names: [Name]?
        var valueName: String?
        var defaultValue: String?
        var abstract: String?
        var discussion: String?
        var allValueStrings: [String]?
        var allValues: [String]?
    }

    struct Name: Decodable {
        var kind: String
        var name: String
        var text: String { (kind == "long" ? "--" : "-") + name }
    }
}

/// A page of the manual in the macros of man(7).
private struct ManualPage {
    /// `diptych-data-check`.
    let name: String
    let text: String

    /// The program's page, and one for each command that its help shows.
    static func pages(of root: ToolDescription.Command) -> [ManualPage] {
        func pages(_ command: ToolDescription.Command, _ above: [String]) -> [ManualPage] {
            let path = above + [command.commandName]
            let inner = (command.subcommands ?? []).filter { $0.commandName != "help" && $0.shouldDisplay != false }
            return [ManualPage(command, path, inner)] + inner.flatMap { pages($0, path) }
        }
        return pages(root, [])
    }

    private init(_ command: ToolDescription.Command, _ path: [String], _ subcommands: [ToolDescription.Command]) {
        name = path.joined(separator: "-")
        let arguments = (command.arguments ?? []).filter(\.shouldDisplay)
        var lines = [
            ".TH \"\(name.uppercased())\" 1 \"\" \"Diptych \(DiptychCommand.version)\" \"Diptych\"",
            ".SH NAME", "\(Self.escaped(name)) \\- \(Self.escaped(Self.title(command.abstract ?? "")))",
            ".SH SYNOPSIS", Self.synopsis(path, arguments, hasSubcommands: !subcommands.isEmpty),
        ]
        let parts = (command.discussion ?? "").split(separator: "Examples:\n", maxSplits: 1).map(String.init)
        let hasExamples = command.discussion?.contains("Examples:\n") == true
        let discussion = hasExamples && parts.count == 1 ? "" : parts.first ?? ""
        lines += [".SH DESCRIPTION", Self.escaped(command.abstract ?? "")]
        for paragraph in discussion.split(separator: "\n") { lines += [".PP", Self.escaped(String(paragraph))] }
        if !arguments.isEmpty { lines.append(".SH OPTIONS") }
        for argument in arguments { lines += Self.entry(argument) }
        if !subcommands.isEmpty { lines.append(".SH COMMANDS") }
        for inner in subcommands {
            lines += [
                ".TP", "\\fB\(Self.escaped(name + "-" + inner.commandName))\\fR(1)", Self.escaped(inner.abstract ?? ""),
            ]
        }
        if hasExamples, let examples = parts.last {
            lines +=
                [".SH EXAMPLES", ".nf"] + examples.split(separator: "\n").map { Self.escaped(String($0)) } + [".fi"]
        }
        lines += [
            ".SH EXIT STATUS", "0: done; 1: it failed, and standard error says why; 2: the command line is wrong;",
            "128 and a signal's number: a signal ended it.", ".SH SEE ALSO",
            path.count > 1
                ? "\\fB\(Self.escaped(path.dropLast().joined(separator: "-")))\\fR(1)" : "\\fBdiptych help\\fR",
        ]
        text = lines.joined(separator: "\n") + "\n"
    }

    /// The first words of a sentence, as the line NAME has them.
    private static func title(_ sentence: String) -> String {
        let text = sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence
        return text.prefix(1).lowercased() + text.dropFirst()
    }

    private static func synopsis(
        _ path: [String], _ arguments: [ToolDescription.Argument], hasSubcommands: Bool
    ) -> String {
        var words = ["\\fB" + escaped(path.joined(separator: " ")) + "\\fR"]
        for argument in arguments where argument.kind == "positional" || !argument.isOptional {
            let value = "\\fI\(escaped(argument.valueName ?? ""))\\fR" + (argument.isRepeating ? " ..." : "")
            let name =
                argument.kind == "positional"
                ? "" : "\\fB\(escaped(argument.names?.first { $0.kind == "long" }?.text ?? ""))\\fR "
            words.append(argument.isOptional ? "[\(name)\(value)]" : name + value)
        }
        if arguments.contains(where: { $0.kind != "positional" && $0.isOptional }) { words.append("[\\fIoptions\\fR]") }
        if hasSubcommands { words.append("\\fIcommand\\fR") }
        return words.joined(separator: " ")
    }

    private static func entry(_ argument: ToolDescription.Argument) -> [String] {
        let value = argument.kind == "flag" ? "" : "\\fI\(escaped(argument.valueName ?? ""))\\fR"
        let names = (argument.names ?? []).sorted { $0.name.count < $1.name.count }.map {
            "\\fB\(escaped($0.text))\\fR"
        }.joined(separator: ", ")
        var text = [argument.abstract, argument.discussion].compactMap { $0 }.joined(separator: " ")
        if let values = argument.allValueStrings ?? argument.allValues, !values.isEmpty {
            text += " Values: \(values.joined(separator: ", "))."
        }
        if let value = argument.defaultValue, argument.kind != "flag" { text += " Default: \(value)." }
        return [".TP", [names, value].filter { !$0.isEmpty }.joined(separator: " "), escaped(text)]
    }

    /// Text as it is: no macro, no hyphen that a search would not find.
    private static func escaped(_ text: String) -> String {
        let plain = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
        return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&" + plain : plain
    }
}
