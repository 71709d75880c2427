public import TensorIO

/// A picture and its edit, as a model is shown them: on one canvas, beside each other (ICEdit, arXiv 2504.20690) or one above the
/// other, or each by itself.
public struct Diptych: Sendable {
    /// The sizes, and how the panels lie.
    public let geometry: DiptychGeometry
    /// The picture as it was.
    public let source: Image
    /// The picture as it becomes.
    public let edited: Image

    /// Takes two panels. Both must already have the panel's size.
    public init(source: Image, edited: Image, panelLayout: PanelLayout = .beside) {
        precondition(
            source.width == edited.width && source.height == edited.height,
            "panels of \(source.width) x \(source.height) and \(edited.width) x \(edited.height)")
        geometry = DiptychGeometry(panelWidth: source.width, panelHeight: source.height, panelLayout: panelLayout)
        (self.source, self.edited) = (source, edited)
    }

    /// The diptych to edit: the source on both panels, the second one under the mask.
    public init(editing source: Image, panelLayout: PanelLayout = .beside) {
        self.init(source: source, edited: source, panelLayout: panelLayout)
    }

    /// Takes a canvas with both panels apart. It must have the geometry's size.
    public init(canvas: Image, geometry: DiptychGeometry) {
        precondition(
            canvas.width == geometry.canvasWidth && canvas.height == geometry.canvasHeight,
            "a canvas of \(canvas.width) x \(canvas.height) for one of \(geometry.canvasWidth) x \(geometry.canvasHeight)"
        )
        func panel(_ panel: DiptychPanel) -> Image {
            let (x, y) = geometry.origin(of: panel)
            return canvas.crop(x: x, y: y, width: geometry.panelWidth, height: geometry.panelHeight)
        }
        self.geometry = geometry
        source = panel(.source)
        edited = panel(.edited)
    }

    /// The picture that the model generates: both panels, or the edited one where the source is a reference.
    public var canvas: Image {
        if geometry.panelLayout == .reference { return edited }
        var canvas = Image(width: geometry.canvasWidth, height: geometry.canvasHeight)
        for (panel, image) in [(DiptychPanel.source, source), (.edited, edited)] {
            let (x, y) = geometry.origin(of: panel)
            canvas.paste(image, x: x, y: y)
        }
        return canvas
    }
}
