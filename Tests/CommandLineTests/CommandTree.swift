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
    }

    private struct Dump: Decodable { var command: Command }
    private struct Command: Decodable {
        var commandName: String
        var abstract: String?
        var discussion: String?
        var subcommands: [Command]?
        var arguments: [Argument]?
    }
    private struct Argument: Decodable {
        var names: [Name]?
    }
    private struct Name: Decodable {
        var kind: String
        var name: String
    }

    /// Every command that does something, `help` aside.
    static func leaves() throws -> [Leaf] {
        let text = try Program.run(["--experimental-dump-help"]).output
        let root = try JSONDecoder().decode(Dump.self, from: Data(text.utf8)).command
        func leaves(_ command: Command, _ above: [String]) -> [Leaf] {
            let path = above + [command.commandName]
            guard let inner = command.subcommands, !inner.isEmpty else {
                let options = (command.arguments ?? []).compactMap { argument in
                    argument.names.map { $0.map { ($0.kind == "long" ? "--" : "-") + $0.name } }
                }
                return [
                    Leaf(
                        name: path.dropFirst().joined(separator: " "), abstract: command.abstract ?? "",
                        discussion: command.discussion ?? "", options: options)
                ]
            }
            return inner.filter { $0.commandName != "help" }.flatMap { leaves($0, path) }
        }
        return leaves(root, [])
    }
}
