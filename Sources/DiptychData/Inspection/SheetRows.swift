/// Which pictures of a sheet lie in which row, and how wide their panels are there.
///
/// A pair is two panels wide, a source without a target one. Every row is filled: where pairs do not divide into rows of
/// the same width, the panels of a shorter row are larger.
package struct SheetRows: Equatable {
    package struct Row: Equatable {
        package var cells: Range<Int>
        package var panelWidth: Int
    }

    package private(set) var rows: [Row] = []
    /// The width of every row in pixels.
    package private(set) var width = 0

    /// Spreads cells of the given widths in panels over as few rows of at most `most` panels as hold them, as evenly as
    /// their order allows.
    package init(panels: [Int], most: Int, panelWidth: Int, gap: Int, margin: Int) {
        precondition(!panels.isEmpty && panels.allSatisfy { $0 == 1 || $0 == 2 } && most >= 2, "\(panels) of \(most)")
        let bounds = Self.bounds(panels, most: most)
        func frame(_ cells: Range<Int>) -> (panels: Int, space: Int) {
            let inRow = panels[cells].reduce(0, +)
            return (inRow, (inRow - cells.count) * gap + (cells.count - 1) * margin)
        }
        width = bounds.map { frame($0).panels * panelWidth + frame($0).space }.max()!
        rows = bounds.map { Row(cells: $0, panelWidth: (width - frame($0).space) / frame($0).panels) }
    }

    /// Cells in rows of about the same width: a cell belongs to the row in which it begins when all are one line, unless
    /// that row is full.
    private static func bounds(_ panels: [Int], most: Int) -> [Range<Int>] {
        let total = panels.reduce(0, +)
        let count = (total + most - 1) / most
        var (done, row, used, first, bounds) = (0, 0, 0, 0, [Range<Int>]())
        for (i, width) in panels.enumerated() {
            let own = done * count / total
            if own > row || used + width > most, first < i {
                bounds.append(first..<i)
                (first, used) = (i, 0)
            }
            (done, row, used) = (done + width, own, used + width)
        }
        return bounds + [first..<panels.count]
    }
}
