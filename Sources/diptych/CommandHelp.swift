import ArgumentParser

/// A command line that shows a command at work, with a word on what it does.
struct CommandExample {
    let purpose: String
    let line: String

    init(_ purpose: String, _ line: String) { (self.purpose, self.line) = (purpose, line) }

    /// The lines of a help screen, broken as a shell takes them.
    var text: String { "  # \(purpose)\n" + Self.broken(line) }

    /// The line in pieces of at most 76 columns, each but the last ending in a backslash.
    private static func broken(_ line: String) -> String {
        var rows = [""]
        // A quoted text stays in one piece.
        for word in line.matches(of: /(?:[^ "]|"[^"]*")+/).map({ String($0.output) }) {
            let row = rows[rows.count - 1]
            if row.isEmpty {
                rows[rows.count - 1] = word
            } else if row.count + word.count + 1 <= (rows.count == 1 ? 72 : 68) {
                rows[rows.count - 1] = row + " " + word
            } else {
                rows.append(word)
            }
        }
        return rows.enumerated().map { $0 == 0 ? "  " + $1 : "      " + $1 }.joined(separator: " \\\n")
    }
}

extension CommandConfiguration {
    /// A command with a word on what it does and examples, which stand at the end of its help.
    init(
        commandName: String, abstract: String, discussion: String = "", examples: [CommandExample],
        shouldDisplay: Bool = true
    ) {
        let shown = "Examples:\n" + examples.map(\.text).joined(separator: "\n")
        self.init(
            commandName: commandName, abstract: abstract,
            discussion: discussion.isEmpty ? shown : discussion + "\n\n" + shown, shouldDisplay: shouldDisplay)
    }
}

/// Whether a command line is one that the program takes, for the tests of the examples.
package enum CommandLineCheck {
    /// Parses the words behind `diptych` without running anything. Throws what is wrong with them.
    package static func parse(_ words: [String]) throws { _ = try DiptychCommand.parseAsRoot(words) }
}
