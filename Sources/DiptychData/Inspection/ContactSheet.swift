public import InContextEdit
import TensorCore
public import TensorIO

/// A picture of random pairs of a dataset with their sizes, tasks and whole instructions.
///
///     try ContactSheet(path: "Datasets/mine", count: 12).image.write(to: "sheet.png")
public struct ContactSheet: Sendable {
    /// The sheet.
    public let image: Image
    /// The pairs shown, by number.
    public let indices: [Int]
    /// Characters of the texts that no font of this machine has, each once.
    public let missingCharacters: [Unicode.Scalar]
    /// Where the pictures of each pair lie, in the order of ``indices``.
    package let frames: [Frame]

    /// That letters are missing, and what to do; nil when none is.
    public var missingLetters: String? {
        guard !missingCharacters.isEmpty else { return nil }
        let shown = missingCharacters.prefix(8).map { scalar in
            "'\(scalar)' (U+\(zeroPadded(scalar.value, digits: 4, radix: 16, uppercase: true)))"
        }
        let more = missingCharacters.count > shown.count ? " …" : ""
        return "no font of this machine has \(missingCharacters.count == 1 ? "the letter" : "the letters") "
            + shown.joined(separator: " ") + more
            + " of the instructions, drawn as boxes (the packages fonts-noto-core and fonts-noto-cjk have most)"
    }

    /// Where the pictures of a pair lie on the sheet.
    package struct Frame: Sendable, Equatable {
        package var source: Area
        package var target: Area?
    }

    /// A rectangle of the sheet.
    package struct Area: Sendable, Equatable {
        package var x: Int, y: Int, width: Int, height: Int
    }

    private static let margin = 16
    private static let gap = 4
    private static let space = 4
    private static let paper: Image.Pixel = [255, 255, 255]
    private static let ink: Image.Pixel = [30, 30, 36]
    private static let faded: Image.Pixel = [112, 112, 122]

    /// Draws `count` pairs, drawn at random by `seed`, in rows of at most `columns`; panels fit into squares of `panelSide`
    /// pixels, larger ones in a row that would not be full. Stacked pairs have the width of two squares. A source without a
    /// target, in a dataset for evaluation, takes one square.
    ///
    /// Throws what ``PairDataset`` or ``EvaluationDataset`` throws, and `FileError` for a picture that cannot be decoded,
    /// for a sheet larger than ``/TensorIO/Image/maximumSide`` and where the machine has no font.
    public init(
        path: String, reading: PairReading = PairReading(), isEvaluation: Bool = false, count: Int = 12,
        columns: Int = 3, panelSide: Int = 160, panelLayout: PanelLayoutChoice = .beside, seed: UInt64 = 0
    ) throws {
        precondition(
            count > 0 && columns > 0 && panelSide >= 32, "\(count) pairs in \(columns) columns of \(panelSide)")
        guard TextBlock.hasFonts else {
            throw FileError(
                "fontconfig", expected: "a font to write with, such as the package fonts-dejavu-core",
                found: "none on this machine")
        }
        let pairs =
            try isEvaluation
            ? SheetPairs(EvaluationDataset(path: path, reading: reading))
            : SheetPairs(PairDataset(path: path, reading: reading))
        var random = Random(seed: seed)
        indices = Array(random.permutation(pairs.words.count).prefix(count))
        let cells = try indices.map { index in
            let sizes = try pairs.sizes(index)
            let isStacked =
                panelLayout.layout(panelWidth: sizes.source.width, panelHeight: sizes.source.height) == .stacked
            return SheetCell(words: pairs.words[index], sizes: sizes, isStacked: isStacked)
        }
        let rows = SheetRows(
            panels: cells.map(\.panels), most: 2 * columns, panelWidth: panelSide, gap: Self.gap, margin: Self.margin)

        // The places of everything first: the sheet's height follows from its texts.
        var placed: [SheetCell.Placed] = []
        var y = Self.margin
        for row in rows.rows {
            var x = Self.margin
            var height = 0
            for cell in cells[row.cells] {
                let place = cell.placed(
                    x: x, y: y, panelWidth: row.panelWidth, gap: Self.gap, space: Self.space,
                    letters: panelSide >= 144 ? 14 : 12)
                placed.append(place)
                height = max(height, place.bottom - y)
                x += place.width + Self.margin
            }
            y += height + Self.margin
        }
        let (width, height) = (rows.width + 2 * Self.margin, y)
        guard max(width, height) <= Image.maximumSide else {
            throw FileError(
                path, expected: "a sheet of at most \(Image.maximumSide) pixels a side",
                found: "\(width)x\(height) (a smaller --count or --panel, or other --columns)")
        }
        var sheet = Image(width: width, height: height, color: Self.paper)
        var (missing, seen) = ([Unicode.Scalar](), Set<Unicode.Scalar>())
        for (index, place) in zip(indices, placed) {
            let panels = try pairs.panels(index)
            for (panel, area) in [(panels.source, place.source), (panels.target, place.target)] {
                guard let panel, let area else { continue }
                sheet.paste(SheetCell.fitted(panel, to: area), x: area.x, y: area.y)
            }
            for text in place.labels + [place.head] {
                text.block.draw(on: &sheet, x: text.x, y: text.y, color: Self.faded)
            }
            place.words.block.draw(on: &sheet, x: place.words.x, y: place.words.y, color: Self.ink)
            for text in place.labels + [place.head, place.words] {
                missing += text.block.missing.filter { seen.insert($0).inserted }
            }
        }
        image = sheet
        missingCharacters = missing
        frames = placed.map { Frame(source: $0.source, target: $0.target) }
    }
}

/// What is drawn of a dataset of either kind.
private struct SheetPairs {
    let words: [SheetCell.Words]
    let sizes: (Int) throws -> SheetCell.Sizes
    let panels: (Int) throws -> (source: Image, target: Image?)

    init(_ dataset: PairDataset) {
        words = dataset.records.enumerated().map {
            SheetCell.Words(name: "\($0 + 1)", task: $1.task, instruction: $1.fields.instruction)
        }
        sizes = { (try dataset.sourceSize(at: $0), try dataset.targetSize(at: $0)) }
        panels = {
            let panels = try dataset.panels(at: $0)
            return (panels.source, panels.target)
        }
    }

    init(_ dataset: EvaluationDataset) {
        words = dataset.items.map { SheetCell.Words(name: $0.id, task: $0.task, instruction: $0.instruction) }
        sizes = { try dataset.sizes(at: $0) }
        panels = { (try dataset.source(at: $0), try dataset.target(at: $0)) }
    }
}
