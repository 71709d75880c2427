import ArgumentParser

/// `diptych data …`
struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Makes, checks, shows and encodes datasets.",
        subcommands: [
            PhotoEditsCommand.self, ScenesCommand.self, CheckCommand.self, PreviewCommand.self, EncodeCommand.self,
        ])
}
