import Foundation
public import InContextEdit
import TensorCore
public import TensorIO

/// Makes pairs for training from photographs: random crops, and edits that their instructions determine to the pixel.
///
///     let edits = try PhotoEdits(photos: "Datasets/photos", options: .init(count: 1000))
///     try edits.write(to: "photo-edits") { print("\($0.done)/\($0.total)") }
///
/// A pair depends on the seed, its number, the photographs, the kinds and the size alone: not on the number of threads,
/// nor on how many pairs are made.
public struct PhotoEdits: Sendable {
    /// One pair.
    public struct Pair: Sendable {
        /// The panel with the picture as it was.
        public let source: Image
        /// The panel with the picture as it becomes.
        public let target: Image
        /// What turns the one into the other.
        public let edit: PhotoEdit
        /// The instruction and the captions.
        public let fields: PromptFields
    }

    /// What to make.
    public let options: Options
    private let kinds: [EditKind]
    let photos: PhotoFolder

    /// Reads the photographs and checks everything that can be checked before the first pair.
    ///
    /// Throws ``OptionError`` for an option out of range, ``DatasetError`` that names every photograph that is
    /// unreadable or too small, ``FileError`` for a folder without photographs.
    public init(photos: String, options: Options) throws {
        kinds = try options.checkedKinds()
        self.options = options
        self.photos = try PhotoFolder(path: photos) { photo in
            let least = options.smallestPhoto
            guard photo.width < least.width || photo.height < least.height else { return nil }
            return (
                "at least \(least.width)x\(least.height) pixels for panels of \(options.width)x\(options.height)",
                "\(photo.width)x\(photo.height)"
            )
        }
    }

    /// The pair number `index`. Throws when its photograph has become unreadable, and ``FileError`` when in none of
    /// the photographs its kind of edit would show, as when all are black and white already.
    public func pair(at index: Int) throws -> Pair {
        precondition(index >= 0, "pair \(index)")
        let kind = kinds[Random.dealt(index, of: kinds.count, seed: options.seed, stream: 1)]
        var random = Random.counted(seed: options.seed, stream: 0, index: index)
        for attempt in 0..<Self.attempts {
            // A photograph of its own turn first; the others when nothing comes of that.
            let number =
                attempt < Self.attempts / 2
                ? Random.dealt(index, of: photos.count, seed: options.seed, stream: 2)
                : random.integer(below: photos.count)
            let crop = randomCrop(try photos.photo(number), &random)
            let edit = kind.edits[random.integer(below: kind.edits.count)]
            let panels = edit.panels(of: crop)
            let instruction = edit.instructions[random.integer(below: edit.instructions.count)]
            guard edit.shows(from: panels.source, to: panels.target) else { continue }
            let captions = edit.captions
            return Pair(
                source: panels.source, target: panels.target, edit: edit,
                fields: PromptFields(
                    instruction: instruction, subject: "photograph",
                    description: String(captions.source.dropFirst(2)), inputCaption: captions.source + ".",
                    outputCaption: captions.target + "."))
        }
        throw FileError(
            photos.paths[0], expected: "photographs in which the edit '\(kind.name)' shows",
            found: "none in \(Self.attempts) crops of \(photos.count)")
    }

    private static let attempts = 32

    /// A crop of the panel's proportions, half as long as the photograph allows at least, at a random place.
    private func randomCrop(_ photo: Image, _ random: inout Random) -> Image {
        let (width, height) = (options.width, options.height)
        let largest = min(photo.width, photo.height * width / height)
        let smallest = min(largest, max(options.smallestPhoto.width, (largest + 1) / 2))
        let cropWidth = smallest + random.integer(below: largest - smallest + 1)
        let cropHeight = min(photo.height, max(1, (cropWidth * height + width / 2) / width))
        let x = random.integer(below: photo.width - cropWidth + 1)
        let y = random.integer(below: photo.height - cropHeight + 1)
        return photo.crop(x: x, y: y, width: cropWidth, height: cropHeight)
            .resized(width: width, height: height, filter: .bicubic)
    }
}

extension PhotoEdit {
    /// Whether the edit can be seen: a brightening of a black sky or a white disc on snow would teach to do nothing.
    func shows(from source: Image, to target: Image) -> Bool {
        var changed = 0
        for i in stride(from: 0, to: source.pixels.count, by: 3) {
            var most = 0
            for channel in i..<i + 3 {
                most = max(most, abs(Int(source.pixels[channel]) - Int(target.pixels[channel])))
            }
            if most >= 16 { changed += 1 }
        }
        return Double(changed) >= leastShare * Double(source.width * source.height)
    }

    /// The share of the pixels that must change. Marks are small, most of all on panels that are much longer than wide.
    private var leastShare: Double {
        switch self {
        case .whole(.vignette), .whole(.blurredBorder): 0.08
        case .tinted(.center, _): 0.15
        case .tinted: 0.3
        // A night sky can hardly become darker.
        case .whole(.night), .whole(.darker): 0.5
        case .whole: 0.2
        case .framed: 0.08
        case .added, .removed, .recolored, .replaced: 0.01
        }
    }
}
