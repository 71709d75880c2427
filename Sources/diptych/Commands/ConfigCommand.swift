public import ArgumentParser
import Foundation
import TensorIO
public import Training

/// `diptych config [FILE]`
struct ConfigCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract:
            "Lists the keys of a run's configuration, or checks a file and prints it with all defaults filled in.",
        examples: [
            CommandExample("every key, its type, its default and what it means", "diptych config"),
            CommandExample("a commented file to begin with", "diptych config --template photos -o run.yaml"),
            CommandExample("check a file, and that what it names is there", "diptych config run.yaml --files"),
            CommandExample(
                "the same with a value changed, for a program",
                "diptych config run.yaml --set training.steps=100 --json"),
        ])

    @OptionGroup var common: CommonOptions

    @Argument(help: "A YAML file; without one, every key is listed.", completion: .file(extensions: ["yaml", "yml"]))
    var file: String?

    @Option(
        name: .long,
        help: .init(
            "Override a key of the file; 'diptych config' lists the keys. May be given several times.",
            valueName: "key=value"),
        completion: .list(RunConfiguration.keys.map { $0 + "=" }))
    var set: [String] = []

    @Flag(name: .long, help: "Also check that the pipeline and the data of the file exist.")
    var files = false

    @Option(
        name: .long,
        help: .init(
            "Write a commented configuration to begin with: "
                + "\(ConfigurationTemplate.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "name"))
    var template: ConfigurationTemplate?

    @Option(
        name: .shortAndLong, help: "With --template: the new file to write; else standard output gets it.",
        completion: .file(extensions: ["yaml", "yml"]))
    var output: String?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        if template != nil, file != nil || json {
            throw ValidationError("--template: expected it without \(file == nil ? "--json" : "a FILE"), found both")
        }
        if output != nil, template == nil {
            throw ValidationError("--output: expected it with --template, found it alone")
        }
        if file == nil, files || !set.isEmpty {
            throw ValidationError("\(files ? "--files" : "--set") needs a FILE")
        }
    }

    func run() throws {
        if let template { return try write(template) }
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
            print(JSONText.of(configuration.json))
        } else {
            print(configuration.yaml, terminator: "")
        }
    }

    private func write(_ template: ConfigurationTemplate) throws {
        guard let output else {
            print(template.yaml, terminator: "")
            return
        }
        // What stands there may be a configuration that somebody has edited.
        guard !FileManager.default.fileExists(atPath: output) else {
            throw FileError(output, expected: "a new file", found: "one of this name")
        }
        try AtomicFile.write(to: output) { try $0.write(Array(template.yaml.utf8)) }
        print("\(output): \(template.summary)")
    }
}

extension ConfigurationTemplate: ExpressibleByArgument {}
