package import TensorIO

/// An edit that its instruction determines to the pixel: which one it is and every parameter it has.
public enum PhotoEdit: Sendable, Hashable {
    /// An edit of the whole picture, without parameters.
    case whole(WholeEdit)
    /// The colours of a region drawn towards one.
    case tinted(EditRegion, EditColor)
    /// A frame laid over the border.
    case framed(EditColor)
    /// A mark laid over the picture.
    case added(EditMark)
    /// A mark taken away: the source has it, the target not.
    case removed(EditMark)
    /// A mark in another colour: both panels have it.
    case recolored(EditMark, EditColor)
    /// A mark in another shape and colour: both panels have one.
    case replaced(EditMark, EditShape, EditColor)

    /// The source and the target panel that the edit makes of a photograph.
    package func panels(of photo: Image) -> (source: Image, target: Image) {
        switch self {
        case .whole(let edit): return (photo, edit.apply(photo))
        case .tinted(let region, let color): return (photo, ColorEdits.tinted(photo, region, color))
        case .framed(let color): return (photo, ObjectEdits.framed(photo, color))
        case .added(let mark): return (photo, ObjectEdits.marked(photo, mark))
        case .removed(let mark): return (ObjectEdits.marked(photo, mark), photo)
        case .recolored(let mark, let color):
            let other = EditMark(shape: mark.shape, color: color, place: mark.place)
            return (ObjectEdits.marked(photo, mark), ObjectEdits.marked(photo, other))
        case .replaced(let mark, let shape, let color):
            let other = EditMark(shape: shape, color: color, place: mark.place)
            return (ObjectEdits.marked(photo, mark), ObjectEdits.marked(photo, other))
        }
    }

    /// The edit's task.
    public var task: EditTask {
        switch self {
        case .whole(let edit): edit.task
        case .tinted, .recolored: .attribute
        case .framed, .added: .addition
        case .removed: .removal
        case .replaced: .swap
        }
    }
}

/// What an edit demands, in the words in which OmniEdit-Filtered counts its pairs, and `background`, which Emu Edit
/// counts.
public enum EditTask: String, Sendable, CaseIterable {
    /// Something new in the picture.
    case addition
    /// Something gone.
    case removal
    /// One thing in the place of another.
    case swap
    /// Another colour, light or position of what is there.
    case attribute
    /// The whole picture in another manner.
    case style
    /// Other surroundings: time of day, what lies around the centre.
    case background
}

/// The edits of the whole picture; raw values name their kinds.
public enum WholeEdit: String, Sendable, CaseIterable {
    case blackAndWhite = "black-and-white"
    case sepia
    case negative
    case brighter
    case darker
    case colder
    case warmer
    case vivid
    case muted
    case mirrored
    case flipped
    case upsideDown = "upside-down"
    case zoomed
    case posterized
    case pixelated
    case night
    case blurredBorder = "blurred-border"
    case vignette
    case sketch

    /// The edited picture, of the same size.
    package func apply(_ image: Image) -> Image {
        switch self {
        case .blackAndWhite: ColorEdits.blackAndWhite(image)
        case .sepia: ColorEdits.sepia(image)
        case .negative: ColorEdits.negative(image)
        case .brighter: ColorEdits.brighter(image)
        case .darker: ColorEdits.darker(image)
        case .colder: ColorEdits.colder(image)
        case .warmer: ColorEdits.warmer(image)
        case .vivid: ColorEdits.vivid(image)
        case .muted: ColorEdits.muted(image)
        case .mirrored: GeometryEdits.mirrored(image)
        case .flipped: GeometryEdits.flipped(image)
        case .upsideDown: GeometryEdits.upsideDown(image)
        case .zoomed: GeometryEdits.zoomed(image)
        case .posterized: StyleEdits.posterized(image)
        case .pixelated: StyleEdits.pixelated(image)
        case .night: StyleEdits.night(image)
        case .blurredBorder: StyleEdits.blurredBorder(image)
        case .vignette: StyleEdits.vignette(image)
        case .sketch: StyleEdits.sketch(image)
        }
    }

    /// The edit's task.
    public var task: EditTask {
        switch self {
        case .brighter, .darker, .colder, .warmer, .vivid, .muted, .mirrored, .flipped, .upsideDown, .zoomed:
            .attribute
        case .blackAndWhite, .sepia, .negative, .posterized, .pixelated, .vignette, .sketch: .style
        case .night, .blurredBorder: .background
        }
    }
}

/// A kind of edit: a name, and the edits that differ only in parameters. Pairs are dealt evenly among kinds.
public struct EditKind: Sendable, Hashable {
    /// The name that the command line knows: `sepia`, `disc-added`.
    public let name: String
    /// Every edit of the kind.
    public let edits: [PhotoEdit]

    /// All kinds.
    public static let all: [EditKind] =
        WholeEdit.allCases.map { EditKind(name: $0.rawValue, edits: [.whole($0)]) } + [
            EditKind(
                name: "tinted",
                edits: EditRegion.allCases.flatMap { region in EditColor.ofTints.map { .tinted(region, $0) } }),
            EditKind(name: "framed", edits: EditColor.allCases.map { .framed($0) }),
            EditKind(name: "disc-added", edits: EditMark.all.filter { $0.shape == .disc }.map { .added($0) }),
            EditKind(name: "shape-added", edits: EditMark.all.filter { $0.shape != .disc }.map { .added($0) }),
            EditKind(name: "removed", edits: EditMark.all.map { .removed($0) }),
            EditKind(
                name: "recolored",
                edits: EditMark.all.flatMap { mark in
                    EditColor.ofMarks.filter { $0 != mark.color }.map { .recolored(mark, $0) }
                }),
            EditKind(
                name: "replaced",
                edits: EditMark.all.filter { $0.shape != .stripe }.flatMap { mark in
                    EditColor.ofMarks.filter { $0 != mark.color }.map {
                        .replaced(mark, mark.shape == .disc ? .square : .disc, $0)
                    }
                }),
        ]
}
