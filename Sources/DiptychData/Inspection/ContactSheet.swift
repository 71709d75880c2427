public import InContextEdit
import TensorCore
public import TensorIO

/// A picture of random pairs of a dataset with their instructions.
///
///     try ContactSheet(path: "Datasets/mine", count: 12).image.write(to: "sheet.png")
public struct ContactSheet: Sendable {
    /// The sheet.
    public let image: Image
    /// The pairs shown, by number.
    public let indices: [Int]

    private static let margin = 12
    private static let gap = 3
    private static let paper: Image.Pixel = [255, 255, 255]
    private static let ink: Image.Pixel = [30, 30, 36]
    private static let faded: Image.Pixel = [120, 120, 130]
    private static let blank: Image.Pixel = [236, 236, 240]

    /// Draws `count` pairs, drawn at random by `seed`, in columns; panels fit into squares of `panelSide` pixels. Stacked
    /// ones have the width of two squares, and where some are stacked, those beside each other have the height of two.
    ///
    /// A dataset for evaluation may lack targets: their place stays grey.
    ///
    /// Throws what ``PairDataset`` or ``EvaluationDataset`` throws, and ``FileError`` for a picture that cannot be decoded.
    public init(
        path: String, reading: PairReading = PairReading(), isEvaluation: Bool = false, count: Int = 12,
        columns: Int = 3, panelSide: Int = 160, arrangement: ArrangementChoice = .beside, seed: UInt64 = 0
    ) throws {
        precondition(
            count > 0 && columns > 0 && panelSide >= 32, "\(count) pairs in \(columns) columns of \(panelSide)")
        let pairs =
            try isEvaluation
            ? Pairs(EvaluationDataset(path: path, reading: reading))
            : Pairs(PairDataset(path: path, reading: reading))
        var random = Random(seed: seed)
        indices = Array(random.permutation(pairs.words.count).prefix(count))
        let columns = min(columns, indices.count)
        let scale = panelSide >= 144 ? 2 : 1
        let width = 2 * panelSide + Self.gap
        let letters = max(4, width / (BitmapFont.advance * scale))
        let lineHeight = BitmapFont.lineHeight * scale
        let (lineCount, taskHeight) = (3, BitmapFont.lineHeight + 4)
        let pictureHeight = arrangement == .beside ? panelSide : 2 * panelSide + Self.gap
        let height = pictureHeight + 6 + taskHeight + lineCount * lineHeight
        let rows = (indices.count + columns - 1) / columns
        var sheet = Image(
            width: columns * (width + Self.margin) + Self.margin, height: rows * (height + Self.margin) + Self.margin,
            color: Self.paper)
        for (i, index) in indices.enumerated() {
            let x = Self.margin + i % columns * (width + Self.margin)
            let y = Self.margin + i / columns * (height + Self.margin)
            let panels = try pairs.panels(index)
            let size = panels.source
            let isStacked = arrangement.arrangement(panelWidth: size.width, panelHeight: size.height) == .stacked
            let (boxWidth, boxHeight) = isStacked ? (width, panelSide) : (panelSide, pictureHeight)
            let blank = Image(width: size.width, height: size.height, color: Self.blank)
            for (number, panel) in [panels.source, panels.target ?? blank].enumerated() {
                let fitted = Self.fitted(panel, width: boxWidth, height: boxHeight)
                // Stacked panels meet in the middle of their place; their boxes may be higher than they are.
                let middle = y + (pictureHeight + Self.gap) / 2
                sheet.paste(
                    fitted,
                    x: x + (isStacked ? 0 : number * (panelSide + Self.gap)) + (boxWidth - fitted.width) / 2,
                    y: !isStacked
                        ? y + (pictureHeight - fitted.height) / 2
                        : number == 0 ? middle - Self.gap - fitted.height : middle)
            }
            let words = pairs.words[index]
            let head = [words.name, words.task].compactMap(\.self).joined(separator: "  ")
            BitmapFont.draw(head, on: &sheet, x: x, y: y + pictureHeight + 6, color: Self.faded)
            let text = BitmapFont.lines(words.instruction, columns: letters, most: lineCount)
            for (number, line) in text.enumerated() {
                BitmapFont.draw(
                    line, on: &sheet, x: x, y: y + pictureHeight + 6 + taskHeight + number * lineHeight, scale: scale,
                    color: Self.ink)
            }
        }
        image = sheet
    }

    /// What is drawn of a dataset of either kind.
    private struct Pairs {
        let words: [(name: String, task: String?, instruction: String)]
        let panels: (Int) throws -> (source: Image, target: Image?)

        init(_ dataset: PairDataset) {
            words = dataset.records.enumerated().map { ("\($0 + 1)", $1.task, $1.fields.instruction) }
            panels = {
                let panels = try dataset.panels(at: $0)
                return (panels.source, panels.target)
            }
        }

        init(_ dataset: EvaluationDataset) {
            words = dataset.items.map { ($0.id, $0.task, $0.instruction) }
            panels = { (try dataset.source(at: $0), try dataset.target(at: $0)) }
        }
    }

    /// A picture as large as fits into a box; small ones are enlarged in whole pixels, so that they stay as they are.
    private static func fitted(_ image: Image, width: Int, height: Int) -> Image {
        // The side that meets the box first.
        let (side, box) =
            image.width * height >= image.height * width ? (image.width, width) : (image.height, height)
        if side == box { return image }
        if side * 2 <= box {
            let factor = box / side
            return image.resized(width: image.width * factor, height: image.height * factor, filter: .nearest)
        }
        return image.resized(
            width: max(1, image.width * box / side), height: max(1, image.height * box / side), filter: .bicubic)
    }
}
