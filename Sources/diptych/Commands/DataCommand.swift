import ArgumentParser

/// `diptych data …`
struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Makes, checks and shows datasets.",
        subcommands: [PhotoEditsCommand.self, ScenesCommand.self, CheckCommand.self, PreviewCommand.self])
}
