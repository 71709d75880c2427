import ArgumentParser
import DiptychData
import Foundation
import TensorCore
import TensorIO

/// `diptych data photo-edits --photos DIR --count N -o DIR`
struct PhotoEditsCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "photo-edits",
        abstract: "Makes pairs from photographs, with edits that their instructions determine to the pixel.",
        discussion: """
            Every pair is a random crop of a photograph and one of \(EditKind.all.count) kinds of edit, which take turns:
            \(EditKind.all.map(\.name).joined(separator: ", ")).
            The same seed gives the same pairs, whatever the number of threads. What was interrupted is finished by the \
            same command.
            """,
        examples: [
            CommandExample(
                "a thousand pairs of photographs of yours",
                "diptych data photo-edits --photos ~/Pictures --count 1000 --size 512 -o Datasets/mine"),
            CommandExample(
                "some kinds of edit alone, panels that are not square",
                "diptych data photo-edits --photos ~/Pictures --count 100 --kinds sepia,removed --width 768 --height 512 -o Datasets/few"
            ),
        ])

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "A folder of photographs (PNG, JPEG or WebP).", completion: .directory)
    var photos: String

    @Option(name: .long, parsing: .unconditional, help: "The number of pairs.")
    var count: Int

    @Option(
        name: .output, help: "Where the dataset goes: a new or empty folder, or one that was begun.",
        completion: .directory)
    var output: String

    @Option(name: .long, parsing: .unconditional, help: "Side of a panel in pixels, a multiple of 16.")
    var size = 256

    @Option(name: .long, parsing: .unconditional, help: "Width of a panel, when it is not square.")
    var width: Int?

    @Option(name: .long, parsing: .unconditional, help: "Height of a panel, when it is not square.")
    var height: Int?

    @Option(name: .long, parsing: .unconditional, help: "What all that is random depends on.")
    var seed: UInt64 = 0

    @Option(
        name: .long,
        help: "How panels are stored: png, or jpg of quality 95. By default jpg from 128 pixels on, png below.")
    var format: PanelFormat?

    @Option(
        name: .long, help: .init("Kinds of edit to make, by commas; all unless told.", valueName: "kind,kind"),
        completion: .list(EditKind.all.map(\.name)))
    var kinds: String?

    @OptionGroup var threads: ThreadOptions

    @Flag(name: .long, help: "Replace a dataset that is in the folder already.")
    var overwrite = false

    private var options: PhotoEdits.Options {
        let all = EditKind.all.map(\.name)
        let chosen = kinds?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        return PhotoEdits.Options(
            count: count, width: width ?? size, height: height ?? size, seed: seed, format: format,
            kinds: chosen ?? all
        )
    }

    func validate() throws {
        do {
            _ = try options.checkedKinds()
        } catch {
            let isSize = error.option == "width" && width == nil || error.option == "height" && height == nil
            let name = isSize ? "size" : error.option
            throw ValidationError("--\(name)\(error.description.dropFirst(error.option.count))")
        }
    }

    func run() throws {
        threads.apply()
        let edits = try PhotoEdits(photos: photos, options: options)
        do {
            try edits.write(to: output, overwrites: overwrite, progress: ProgressBar().show)
        } catch let error as FolderInUse {
            throw FileError(
                output,
                expected:
                    "a new or empty folder, or one that the same options began (--overwrite replaces a dataset)",
                found: error.found)
        }
        print("\(count) pairs of \(options.width)x\(options.height) pixels: \(output)")
    }
}
