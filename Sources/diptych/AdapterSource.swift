import Adapters
import ArgumentParser
import Foundation
import InContextEdit
import Models
import TensorIO
import Training

/// An adapter and its strength as the command line names them: `style.safetensors:0.8`.
struct AdapterChoice: ExpressibleByArgument, Equatable {
    let path: String
    let strength: Float
    /// What is wrong with the strength, if anything.
    let fault: String?

    /// What stands behind the last colon is the strength, unless a file has the whole for its name or it goes on as a path
    /// does.
    init(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), !FileManager.default.fileExists(atPath: argument),
            case let word = argument[argument.index(after: colon)...], !Self.isPath(word)
        else {
            (path, strength, fault) = (argument, 1, nil)
            return
        }
        let number = Float(word).flatMap { $0.isFinite ? $0 : nil }
        path = String(argument[..<colon])
        strength = number ?? 1
        fault =
            number == nil
            ? "--adapter: expected a number behind the colon, a strength such as 0.8, found '\(word)' in '\(argument)'"
            : nil
    }

    private static func isPath(_ word: Substring) -> Bool {
        word.contains("/") || word.hasSuffix(".safetensors") || word.hasSuffix(".h5")
    }
}

/// Where an adapter comes from: a `.safetensors` file in any layout that is read, a checkpoint, or a run's folder.
enum AdapterSource {
    /// Puts the adapters into the transformer of `pipeline`, beside each other, each at its strength.
    static func load(_ choices: [AdapterChoice], into pipeline: EditPipeline) throws -> [AdapterSet] {
        try choices.map { choice in
            let set = try load(choice.path, into: pipeline)
            set.strength = choice.strength
            return set
        }
    }

    /// Puts the adapter at `path` into the transformer of `pipeline`.
    static func load(_ path: String, into pipeline: EditPipeline) throws -> AdapterSet {
        let transformer = pipeline.transformer
        let width = transformer.configuration.pooledProjectionDim
        if let file = file(path) {
            let set = try AdapterSet(
                loading: SafetensorsFile(path: file), into: transformer, naming: .flux(transformer.configuration),
                pooledWidth: width, besideOthers: true)
            set.notices.forEach(note)
            return set
        }
        let file = try RunFolder.checkpoint(at: path)
        let checkpoint = try RunCheckpoint(path: file)
        let configuration = try RunConfiguration.parse(checkpoint.configuration, file: file)
        let adapters = try AdapterSet(
            injecting: configuration.adapterConfiguration, into: transformer, pooledWidth: width, seed: 0,
            besideOthers: true)
        try adapters.restoreParameters(from: checkpoint.parameters)
        adapters.path = path
        return adapters
    }

    /// What is known of the making of the adapter at `path`.
    static func metadata(_ path: String) throws -> ExportMetadata {
        if let file = file(path) { return ExportMetadata(try SafetensorsFile(path: file).metadata) }
        let file = try RunFolder.checkpoint(at: path)
        let checkpoint = try RunCheckpoint(path: file)
        return ExportMetadata(try RunConfiguration.parse(checkpoint.configuration, file: file), checkpoint)
    }

    /// How the diptychs lay that the adapter at `path` was trained on; nil where a file does not say.
    static func arrangement(_ path: String) throws -> ArrangementChoice? {
        guard let file = file(path) else {
            let file = try RunFolder.checkpoint(at: path)
            return try RunConfiguration.parse(RunCheckpoint.configuration(path: file), file: file).trainedArrangement
        }
        guard let word = try SafetensorsFile(path: file).metadata[ExportMetadata.arrangementKey] else { return nil }
        guard let choice = ArrangementChoice(rawValue: word) else {
            throw FileError(
                file, key: ExportMetadata.arrangementKey, expected: "beside, stacked or auto", found: "'\(word)'")
        }
        return choice
    }

    /// The arrangement that a command was asked for; else that of the adapters, the first that says one; else upstream's.
    static func arrangement(_ asked: ArrangementChoice?, _ paths: [String]) throws -> ArrangementChoice {
        if let asked { return asked }
        let trained = try paths.compactMap { try arrangement($0) }
        if let other = trained.first(where: { $0 != trained[0] }) {
            note(
                "one adapter was trained with --arrangement \(trained[0]), another with \(other): taking the first's")
        } else if let choice = trained.first, choice != .beside {
            note("--arrangement \(choice), as the adapter was trained")
        }
        return trained.first ?? .beside
    }

    /// The safetensors file that a path means: itself, or the one that PEFT keeps in a folder.
    static func file(_ path: String) -> String? {
        AdapterLocation.file(path)
    }
}
