import ArgumentParser
import Foundation
import Models
import TensorCore
import TensorIO
import Training

/// `diptych random-base -o DIR --type q4_0`
struct RandomBaseCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "random-base",
        abstract: "Writes a FLUX.1-Fill pipeline with random weights, to measure time and memory without a download.",
        discussion: """
            --size full has the true proportions: 19 + 38 blocks of width 3072, T5 XXL, CLIP-L and the autoencoder (about \
            10 GB in q4_0). The pictures that it makes are noise. The tokenizers are copied from another pipeline's \
            folder, since a vocabulary cannot be drawn.
            """,
        examples: [
            CommandExample(
                "FLUX's true size, quantised, about 10 GB",
                "diptych random-base --tokenizers FLUX.1-Fill-dev --type q4_0 -o random")
        ])

    @OptionGroup var common: CommonOptions

    @Option(name: .output, help: "The folder to write.", completion: .directory)
    var output: String

    @Option(
        name: .long, help: "\(ModelQuantizer.types.joined(separator: ", ")): of the transformer and T5.",
        completion: .list(ModelQuantizer.types))
    var type = "q4_0"

    @Option(name: .long, help: "The proportions: full, FLUX.1's, or medium, narrow and shallow.")
    var size = Proportions.full

    @Option(name: .long, help: "A folder with 'tokenizer' and 'tokenizer_2'.", completion: .directory)
    var tokenizers: String

    @Option(name: .long, parsing: .unconditional, help: "What the weights are drawn from.")
    var seed = 1

    @OptionGroup var threads: ThreadOptions

    @Flag(name: .long, help: "Replace models and tokenizers that are in the folder already.")
    var overwrite = false

    enum Proportions: String, ExpressibleByArgument, CaseIterable {
        case full, medium
        var size: RandomBase.Size { self == .full ? .full : .medium }
    }

    func validate() throws {
        if seed < 0 { throw ValidationError("--seed: expected 0 or more, found \(seed)") }
    }

    func run() throws {
        threads.apply()
        let base = try RandomBase(size: size.size, type: type, seed: UInt64(seed))
        if !overwrite { try requireNothingReplaced(base) }
        try base.write(to: output, tokenizers: tokenizers, progress: ProgressBar().show)
        for file in base.files {
            let path = "\(output)/\(file.name)"
            let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int ?? 0
            print("\(path): \(file.part.title), \(file.parameterCount.grouped) weights, \(size.grouped) bytes")
        }
        print(
            "use it with: --base \(output) --transformer \(output)/transformer.gguf --t5 \(output)/t5.gguf "
                + "--clip \(output)/clip.safetensors --vae \(output)/vae.safetensors")
    }

    /// Throws when the folder has files of the names that are written: they may be somebody's real weights.
    private func requireNothingReplaced(_ base: RandomBase) throws {
        let there = (base.files.map(\.name) + RandomBase.tokenizerFolders).filter { name in
            guard let found = FileIdentity("\(output)/\(name)") else { return false }
            // The tokenizers may be taken from the folder itself.
            return found != FileIdentity("\(tokenizers)/\(name)")
        }
        guard there.isEmpty else {
            throw FileError(
                output, expected: "a folder without \(there.joined(separator: ", ")) (--overwrite replaces them)",
                found: "them")
        }
    }
}
