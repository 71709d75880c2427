import ArgumentParser
import Training

/// `diptych config [FILE]`
struct ConfigCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Lists the keys of a run's configuration, or checks a file and prints it with all defaults filled in."
    )

    @OptionGroup var common: CommonOptions

    @Argument(help: "A YAML file; without one, every key is listed.", completion: .file(extensions: ["yaml", "yml"]))
    var file: String?

    @Option(name: .long, help: .init("Override a key of the file.", valueName: "key=value"))
    var set: [String] = []

    @Flag(name: .long, help: "Also check that the pipeline and the data of the file exist.")
    var files = false

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        if file == nil, files || !set.isEmpty {
            throw ValidationError("\(files ? "--files" : "--set") needs a FILE")
        }
    }

    func run() throws {
        guard let file else {
            if json {
                try print(JSONText.of(RunConfiguration.documentedKeys))
            } else {
                print(RunConfiguration.documentation, terminator: "")
            }
            return
        }
        let configuration = try RunConfiguration.load(file, overrides: set)
        if files { try configuration.validateFiles(source: file) }
        if json {
            try print(JSONText.of(object: configuration.plainObject))
        } else {
            print(configuration.yaml, terminator: "")
        }
    }
}
