import Foundation

/// The commands of the program with their options, from the description that ArgumentParser gives to tools.
enum CommandTree {
    struct Leaf {
        /// The words behind `diptych`.
        var name: String
        var abstract: String
        var discussion: String
        /// The names of each option and flag, with their dashes.
        var options: [[String]]
        /// The values that completion offers, by each name of an option.
        var values: [String: [String]]
    }

    private struct Dump: Decodable { var command: Command }
    private struct Command: Decodable {
        var commandName: String
        var abstract: String?
        var discussion: String?
        var shouldDisplay: Bool?
        var subcommands: [Command]?
        var arguments: [Argument]?
    }
    private struct Argument: Decodable {
        var names: [Name]?
        var completionKind: Completion?
    }
    private struct Completion: Decodable {
        struct List: Decodable { var values: [String] }
        var list: List?
    }
    private struct Name: Decodable {
        var kind: String
        var name: String
    }

    private static func root() throws -> Command {
        let text = try Program.run(["--experimental-dump-help"]).output
        return try JSONDecoder().decode(Dump.self, from: Data(text.utf8)).command
    }

    /// The words behind `diptych` of every command and group of commands that the help shows.
    static func visible() throws -> [String] {
        func names(_ command: Command, _ above: String) -> [String] {
            (command.subcommands ?? []).filter { $0.commandName != "help" && $0.shouldDisplay != false }.flatMap {
                [above + $0.commandName] + names($0, above + $0.commandName + " ")
            }
        }
        return try names(root(), "")
    }

    /// Every command that does something, `help` aside.
    static func leaves() throws -> [Leaf] {
        func leaves(_ command: Command, _ above: [String]) -> [Leaf] {
            let path = above + [command.commandName]
            guard let inner = command.subcommands, !inner.isEmpty else {
                let options = (command.arguments ?? []).compactMap { argument in
                    argument.names.map { $0.map { ($0.kind == "long" ? "--" : "-") + $0.name } }
                }
                var values: [String: [String]] = [:]
                for argument in command.arguments ?? [] {
                    for name in argument.names ?? [] {
                        values[(name.kind == "long" ? "--" : "-") + name.name] = argument.completionKind?.list?.values
                    }
                }
                return [
                    Leaf(
                        name: path.dropFirst().joined(separator: " "), abstract: command.abstract ?? "",
                        discussion: command.discussion ?? "", options: options, values: values)
                ]
            }
            return inner.filter { $0.commandName != "help" }.flatMap { leaves($0, path) }
        }
        return leaves(try root(), [])
    }
}
