public import TensorCore

/// The sizes of a diptych in pixels, latents and tokens, and how its panels lie.
///
/// A latent covers 8 x 8 pixels and a token 2 x 2 latents, so both sides of a panel are multiples of 16 and the edge
/// between the panels lies between tokens.
public struct DiptychGeometry: Hashable, Sendable {
    /// Pixels along a token's side.
    public static let tokenSide = 16
    /// The most tokens of a canvas, 32 times those of upstream's 512 x 512 panels: attention over more would not end.
    public static let maximumTokenCount = 1 << 16
    /// Pixels along a latent's side.
    public static let latentSide = 8

    /// Width of one panel in pixels.
    public let panelWidth: Int
    /// Height of one panel in pixels.
    public let panelHeight: Int
    /// How the panels lie.
    public let panelLayout: PanelLayout

    /// Checks that both sides are positive multiples of 16.
    public init(panelWidth: Int, panelHeight: Int, panelLayout: PanelLayout = .beside) {
        precondition(
            panelWidth > 0 && panelHeight > 0 && panelWidth % Self.tokenSide == 0 && panelHeight % Self.tokenSide == 0,
            "a panel of \(panelWidth) x \(panelHeight): both sides must be multiples of \(Self.tokenSide)")
        self.panelWidth = panelWidth
        self.panelHeight = panelHeight
        self.panelLayout = panelLayout
    }

    /// The diptych of panels that an image of this size becomes, upstream's way: `panelWidth` wide, its own proportions,
    /// the height cut down to a multiple of 16. Throws ``DiptychSizeError`` when that is too large.
    public init(
        fitting imageWidth: Int, _ imageHeight: Int, panelWidth: Int, panelLayout: PanelLayoutChoice = .beside,
        framework: any EditFramework = FillFramework()
    ) throws(DiptychSizeError) {
        let height = Double(imageHeight) * Double(panelWidth) / Double(imageWidth)
        let side = Double(Self.tokenSide)
        let tokens = (2 * Double(panelWidth) / side) * (height / side)
        guard tokens <= Double(Self.maximumTokenCount) else {
            throw DiptychSizeError(panelWidth: panelWidth, imageWidth: imageWidth, imageHeight: imageHeight)
        }
        let panelHeight = max(Self.tokenSide, Int(height) / Self.tokenSide * Self.tokenSide)
        self.init(
            panelWidth: panelWidth, panelHeight: panelHeight,
            panelLayout: framework.panelLayout(panelLayout, panelWidth: panelWidth, panelHeight: panelHeight))
    }

    /// Width of the whole canvas in pixels.
    public var canvasWidth: Int { panelLayout == .beside ? 2 * panelWidth : panelWidth }
    /// Height of the whole canvas in pixels.
    public var canvasHeight: Int { panelLayout == .stacked ? 2 * panelHeight : panelHeight }
    /// Rows of tokens over the whole canvas.
    public var tokenRows: Int { canvasHeight / Self.tokenSide }
    /// Columns of tokens over the whole canvas.
    public var tokenColumns: Int { canvasWidth / Self.tokenSide }
    /// Tokens of the canvas, the same whether its panels lie beside each other or one above the other.
    public var tokenCount: Int { tokenRows * tokenColumns }
    /// Tokens of both panels: as many image tokens as the model reads, wherever the source stands.
    public var pairTokenCount: Int { 2 * (panelWidth / Self.tokenSide) * (panelHeight / Self.tokenSide) }
    /// The shape of one canvas in latents: `[1, 16, canvasHeight / 8, canvasWidth / 8]`.
    public func latentShape(channels: Int) -> Shape {
        [1, channels, canvasHeight / Self.latentSide, canvasWidth / Self.latentSide]
    }

    /// The geometry in a word, for names of files: `512x384`, `512x384-stacked`.
    public var name: String {
        "\(panelWidth)x\(panelHeight)" + (panelLayout == .beside ? "" : "-\(panelLayout.rawValue)")
    }

    /// The places of the tokens, `[tokens, 3]`: 0, row, column.
    public var imageIDs: Tensor {
        var ids: [Float] = []
        for row in 0..<tokenRows {
            for column in 0..<tokenColumns { ids += [0, Float(row), Float(column)] }
        }
        return Tensor(ids, [tokenCount, 3])
    }
}

/// Panels on canvases.
extension DiptychGeometry {
    /// The place of a panel's first pixel on the canvas.
    func origin(of panel: DiptychPanel) -> (x: Int, y: Int) {
        switch (panel, panelLayout) {
        case (.source, .reference): preconditionFailure("the source is not on this canvas")
        case (.source, _), (.edited, .reference): (0, 0)
        case (.edited, .beside): (panelWidth, 0)
        case (.edited, .stacked): (0, panelHeight)
        }
    }

    /// One panel of canvases `[B, C, canvasHeight, canvasWidth]`: a view of `[B, C, panelHeight, panelWidth]`.
    public func panel(_ panel: DiptychPanel, of canvas: Tensor) -> Tensor {
        let (x, y) = origin(of: panel)
        return canvas.sliced(axis: 2, y..<y + panelHeight).sliced(axis: 3, x..<x + panelWidth)
    }
}

/// A picture whose diptych would be too large.
public struct DiptychSizeError: Error, CustomStringConvertible, Equatable {
    /// Width of a panel in pixels.
    public let panelWidth: Int
    /// Width of the picture in pixels.
    public let imageWidth: Int
    /// Height of the picture in pixels.
    public let imageHeight: Int

    /// One line.
    public var description: String {
        "panels \(panelWidth) pixels wide: expected at most \(DiptychGeometry.maximumTokenCount) tokens of "
            + "\(DiptychGeometry.tokenSide) x \(DiptychGeometry.tokenSide) pixels a canvas, "
            + "found a picture of \(imageWidth) x \(imageHeight), which makes more"
    }
}
