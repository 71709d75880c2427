import DiptychData
import TensorIO
import Testing

@Suite struct ObjectEditsTests {
    static let sizes = [(48, 48), (96, 64), (64, 128)]

    /// The third of the picture that a place names; a band has the whole length.
    static func third(of mark: EditMark, _ width: Int, _ height: Int) -> (columns: Range<Int>, rows: Range<Int>) {
        let index = EditPlace.allCases.firstIndex(of: mark.place)!
        let columns = index % 3 * width / 3..<(index % 3 + 1) * width / 3
        let rows = index / 3 * height / 3..<(index / 3 + 1) * height / 3
        guard mark.shape == .stripe else { return (columns, rows) }
        return index % 3 == 1 ? (0..<width, rows) : (columns, 0..<height)
    }

    @Test(arguments: EditMark.all)
    func marksChangeTheirPlaceAlone(mark: EditMark) {
        for (width, height) in Self.sizes {
            let photo = SyntheticPhoto.make(width: width, height: height)
            let marked = ObjectEdits.marked(photo, mark)
            let changed = marked.places(differingFrom: photo)
            let (columns, rows) = Self.third(of: mark, width, height)
            #expect(changed.allSatisfy { columns ~= $0.x && rows ~= $0.y })
            let full = changed.filter { marked[$0.x, $0.y] == mark.color.pixel }
            let side = Double(min(width, height))
            let area: Double
            switch mark.shape {
            case .disc: area = Double.pi * (0.12 * side) * (0.12 * side)
            case .square: area = 0.22 * side * 0.22 * side
            case .stripe: area = 0.1 * side * Double(max(columns.count, rows.count))
            }
            #expect(Double(changed.count) >= area * 0.95 && Double(full.count) <= area * 1.05)
            #expect(Double(full.count) >= area * 0.5)
            // The middle of the third is of the mark's colour.
            #expect(
                marked[(columns.lowerBound + columns.upperBound) / 2, (rows.lowerBound + rows.upperBound) / 2]
                    == mark.color.pixel)
        }
    }

    @Test func discsHaveSmoothEdgesAndTheirArea() {
        let mark = EditMark(shape: .disc, color: .white, place: .center)
        let disc = ObjectEdits.marked(Image(width: 128, height: 128), mark)
        let area = disc.pixels.reduce(0.0) { $0 + Double($1) } / 255 / 3
        let exact = Double.pi * (0.12 * 128) * (0.12 * 128)
        #expect(abs(area - exact) < exact * 0.005, "\(area) against \(exact)")
        #expect(disc.pixels.contains { (1..<255) ~= $0 })
        #expect(disc == GeometryEdits.mirrored(disc) && disc == GeometryEdits.flipped(disc))
    }

    @Test(arguments: EditColor.allCases)
    func framesChangeTheBorderAlone(color: EditColor) {
        for (width, height) in Self.sizes {
            let photo = SyntheticPhoto.make(width: width, height: height)
            let framed = ObjectEdits.framed(photo, color)
            let line = min(width, height) / 16
            for y in 0..<height {
                for x in 0..<width {
                    let isInside = line..<width - line ~= x && line..<height - line ~= y
                    #expect(framed[x, y] == (isInside ? photo[x, y] : color.pixel))
                }
            }
        }
    }

    @Test func removalsAreAdditionsReversed() {
        let photo = SyntheticPhoto.make(width: 64, height: 64)
        for mark in EditMark.all {
            let added = PhotoEdit.added(mark).panels(of: photo)
            let removed = PhotoEdit.removed(mark).panels(of: photo)
            #expect(added.source == photo && removed.target == photo && added.target == removed.source)
        }
    }

    @Test func changedMarksStayInTheirPlace() {
        let photo = SyntheticPhoto.make(width: 64, height: 64)
        let mark = EditMark(shape: .disc, color: .red, place: .topRight)
        let recolored = PhotoEdit.recolored(mark, .blue).panels(of: photo)
        #expect(recolored.source == ObjectEdits.marked(photo, mark))
        #expect(recolored.target == ObjectEdits.marked(photo, EditMark(shape: .disc, color: .blue, place: .topRight)))
        let replaced = PhotoEdit.replaced(mark, .square, .green).panels(of: photo)
        #expect(replaced.source == recolored.source)
        #expect(replaced.target == ObjectEdits.marked(photo, EditMark(shape: .square, color: .green, place: .topRight)))
    }
}
