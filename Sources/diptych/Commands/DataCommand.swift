import ArgumentParser

/// `diptych data …`
struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Makes datasets.", subcommands: [PhotoEditsCommand.self])
}
