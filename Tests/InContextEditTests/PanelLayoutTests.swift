import InContextEdit
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Panels beside each other and one above the other, against what each pixel says.
@Suite struct PanelLayoutTests {
    private static let geometries = [
        DiptychGeometry(panelWidth: 48, panelHeight: 32), DiptychGeometry(panelWidth: 16, panelHeight: 64),
        DiptychGeometry(panelWidth: 48, panelHeight: 32, panelLayout: .stacked),
        DiptychGeometry(panelWidth: 16, panelHeight: 16, panelLayout: .stacked),
        DiptychGeometry(panelWidth: 32, panelHeight: 80, panelLayout: .stacked),
    ]

    private func picture(_ geometry: DiptychGeometry, seed: UInt64) -> Image {
        var random = Random(seed: seed)
        let count = geometry.panelWidth * geometry.panelHeight * 3
        return Image(
            width: geometry.panelWidth, height: geometry.panelHeight,
            pixels: (0..<count).map { _ in UInt8(random.integer(below: 256)) })
    }

    @Test func stackedSizes() {
        let geometry = DiptychGeometry(panelWidth: 768, panelHeight: 512, panelLayout: .stacked)
        #expect(geometry.canvasWidth == 768 && geometry.canvasHeight == 1024)
        #expect(geometry.tokenRows == 64 && geometry.tokenColumns == 48)
        #expect(geometry.latentShape(channels: 16) == [1, 16, 128, 96])
        #expect(geometry.name == "768x512-stacked")
        let beside = DiptychGeometry(panelWidth: 768, panelHeight: 512)
        #expect(beside.canvasWidth == 1536 && beside.canvasHeight == 512 && beside.name == "768x512")
        #expect(beside.latentShape(channels: 16) == [1, 16, 64, 192])
        #expect(beside.tokenCount == geometry.tokenCount && beside != geometry)
    }

    /// The mask from the pixels of a canvas, unshuffled 8 x 8 and packed 2 x 2 one by one.
    @Test(arguments: geometries) func theMaskIsThatOfThePixels(geometry: DiptychGeometry) {
        let size = (width: geometry.panelWidth, height: geometry.panelHeight)
        let mask = Diptych(
            source: Image(width: size.width, height: size.height, color: [0, 0, 0]),
            edited: Image(width: size.width, height: size.height, color: [255, 255, 255]),
            panelLayout: geometry.panelLayout
        ).canvas
        var expected: [Float] = []
        for row in 0..<geometry.tokenRows {
            for column in 0..<geometry.tokenColumns {
                for pixel in 0..<64 {
                    for latent in 0..<4 {
                        let y = (2 * row + latent / 2) * 8 + pixel / 8
                        let x = (2 * column + latent % 2) * 8 + pixel % 8
                        expected.append(Float(mask[x, y][0]) / 255)
                    }
                }
            }
        }
        let found = geometry.packedMask
        #expect(found.shape == [geometry.tokenCount, 256] && found.floats == expected)
        // Each token is all of one kind, and half of them of each.
        let kinds = (0..<geometry.tokenCount).map { Set(found.floats[$0 * 256..<($0 + 1) * 256]) }
        #expect(kinds.allSatisfy { $0.count == 1 })
        #expect(kinds.filter { $0 == [1] }.count * 2 == geometry.tokenCount)
    }

    @Test(arguments: geometries) func tokensStandWhereTheirPixelsAre(geometry: DiptychGeometry) {
        let ids = geometry.imageIDs.floats
        for token in 0..<geometry.tokenCount {
            let (row, column) = (token / (geometry.canvasWidth / 16), token % (geometry.canvasWidth / 16))
            #expect(Array(ids[token * 3..<token * 3 + 3]) == [0, Float(row), Float(column)])
        }
    }

    @Test(arguments: geometries) func panelsOfTensorsAreThoseOfPictures(geometry: DiptychGeometry) {
        let (source, edited) = (picture(geometry, seed: 1), picture(geometry, seed: 2))
        let diptych = Diptych(source: source, edited: edited, panelLayout: geometry.panelLayout)
        #expect(diptych.geometry == geometry && diptych.source == source && diptych.edited == edited)
        let canvas = diptych.canvas.tensor().unsqueezed(0)
        #expect(geometry.panel(.source, of: canvas).contiguous().floats == source.tensor().floats)
        #expect(geometry.panel(.edited, of: canvas).contiguous().floats == edited.tensor().floats)
        // Blanked: the source as it is, 0 everywhere else.
        let blanked = geometry.blankingEdited(canvas)
        #expect(blanked.shape == canvas.shape)
        #expect(geometry.panel(.source, of: blanked).contiguous().floats == source.tensor().floats)
        #expect(geometry.panel(.edited, of: blanked).contiguous().floats.allSatisfy { $0 == 0 })
    }

    @Test func autoTakesTheCanvasNearerToASquare() {
        func distance(_ geometry: DiptychGeometry) -> Double {
            let (long, short) = (
                max(geometry.canvasWidth, geometry.canvasHeight), min(geometry.canvasWidth, geometry.canvasHeight)
            )
            return Double(long) / Double(short)
        }
        for width in stride(from: 16, through: 160, by: 16) {
            for height in stride(from: 16, through: 160, by: 16) {
                let both = PanelLayout.allCases.map {
                    DiptychGeometry(panelWidth: width, panelHeight: height, panelLayout: $0)
                }
                // Of two that are equal, upstream's.
                let best = distance(both[1]) < distance(both[0]) ? both[1] : both[0]
                #expect(PanelLayoutChoice.auto.layout(panelWidth: width, panelHeight: height) == best.panelLayout)
                #expect(PanelLayoutChoice.beside.layout(panelWidth: width, panelHeight: height) == .beside)
                #expect(PanelLayoutChoice.stacked.layout(panelWidth: width, panelHeight: height) == .stacked)
            }
        }
    }

    @Test func picturesThatAreFittedAreArranged() throws {
        func geometry(_ width: Int, _ height: Int, _ choice: PanelLayoutChoice) throws -> DiptychGeometry {
            try DiptychGeometry(fitting: width, height, panelWidth: 512, panelLayout: choice)
        }
        #expect(try geometry(640, 480, .auto).name == "512x384-stacked")
        #expect(try geometry(480, 640, .auto).name == "512x672")
        #expect(try geometry(512, 512, .auto).name == "512x512")
        #expect(try geometry(480, 640, .stacked).name == "512x672-stacked")
        #expect(try DiptychGeometry(fitting: 640, 480, panelWidth: 512).name == "512x384")
    }
}
