public import InContextEdit
import TensorCore
public import TensorIO

/// Makes edit pairs of a generated world, with exact ground truth.
///
///     let generator = try SceneGenerator(options: .init(count: 50_000, size: 64, level: 1, seed: 1))
///     let pair = generator.pair(at: 7)
///
/// A pair depends on the level, the seed, its number, the part of the world, the kinds of edit and, at level 3, the
/// photographs: not on the size of its panels, the number of threads, nor on how many pairs are made.
public struct SceneGenerator: Sendable {
    /// One pair.
    public struct Pair: Sendable {
        /// The panel with the picture as it was.
        public let source: Image
        /// The panel with the picture as it becomes.
        public let target: Image
        /// White where they differ.
        public let mask: Image
        /// What turns the one into the other.
        public let edit: SceneEdit
        /// The instruction and the captions.
        public let fields: PromptFields
    }

    /// What to make.
    public let options: Options
    /// What draws it.
    public let renderer: SceneRenderer
    private let world: SceneWorld

    /// Checks the options and, at level 3, reads the photographs.
    ///
    /// Throws ``OptionError`` for an option out of range, and what ``ScenePhotos/init(folder:)`` throws.
    public init(options: Options) throws {
        try options.check()
        var photos = ScenePhotos.none
        if let folder = options.photos {
            photos = try ScenePhotos(folder: folder)
            guard photos.names.count >= 2 else {
                throw FileError(folder, expected: "at least 2 photographs", found: "\(photos.names.count)")
            }
        }
        self.options = options
        renderer = SceneRenderer(size: options.size, photos: photos)
        world = SceneWorld(level: options.level, photos: photos)
    }

    /// The edit number `index`, undrawn.
    public func edit(at index: Int) -> SceneEdit {
        precondition(index >= 0, "pair \(index)")
        let stream = UInt64(options.level) << 8 | UInt64(SceneSplit.allCases.firstIndex(of: options.split)!)
        let turn = Random.dealt(index, of: options.tasks.count, seed: options.seed, stream: stream << 1 | 1)
        let task = options.tasks[turn]
        var random = Random.counted(seed: options.seed, stream: stream << 1, index: index)
        while true {
            guard let edit = world.edit(task, &random) else { continue }
            if edit.source.split == options.split && edit.target.split == options.split { return edit }
        }
    }

    /// The pair number `index`.
    public func pair(at index: Int) -> Pair {
        let edit = edit(at: index)
        let instructions = edit.instructions
        var random = Random.counted(seed: options.seed, stream: 0xFF, index: index)
        let source = renderer.image(of: edit.source)
        let target = renderer.image(of: edit.target)
        return Pair(
            source: source, target: target, mask: SceneRenderer.mask(source, target), edit: edit,
            fields: PromptFields(
                instruction: random.element(of: instructions), subject: edit.source.background.rawValue,
                description: edit.source.caption, inputCaption: edit.source.caption + ".",
                outputCaption: edit.target.caption + "."))
    }
}
