import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct GeometryTests {
    @Test func panelsKeepTheirProportionsUpstreamsWay() throws {
        let wide = try DiptychGeometry(fitting: 640, 480, panelWidth: 512)
        #expect(wide.panelWidth == 512 && wide.panelHeight == 384)
        let odd = try DiptychGeometry(fitting: 451, 300, panelWidth: 512)
        #expect(odd.panelHeight == 336)  // 340.57 cut down to a multiple of 16
        #expect(try DiptychGeometry(fitting: 1000, 10, panelWidth: 64).panelHeight == 16)
        #expect(wide.tokenCount == 24 * 64)
    }

    @Test func tokensAreNumberedByRowAndColumn() {
        let ids = DiptychGeometry(panelWidth: 32, panelHeight: 48).imageIDs
        #expect(ids.shape == [12, 3])
        #expect(Array(ids.floats[(5 * 3)..<(6 * 3)]) == [0, 1, 1])
        #expect(Array(ids.floats.suffix(3)) == [0, 2, 3])
    }

    @Test func theMaskCoversTheRightPanel() {
        let mask = DiptychGeometry(panelWidth: 32, panelHeight: 32).packedMask
        #expect(mask.shape == [8, 256])
        let means = mask.mean(axes: [1]).floats
        #expect(means == [0, 0, 1, 1, 0, 0, 1, 1])
    }

    @Test func packingIsUndone() {
        var random = Random(seed: 3)
        let latents = random.randn([2, 16, 4, 8])
        let packed = LatentPacking.pack(latents)
        #expect(packed.shape == [2, 8, 64])
        // The first token holds the four corners of each channel in turn.
        let first = packed.floats.prefix(4).map { $0 }
        let corner = [0, 1].flatMap { y in
            [0, 1].map { x in latents.sliced(axis: 2, y..<y + 1).sliced(axis: 3, x..<x + 1).floats[0] }
        }
        #expect(first == corner)
        #expect(LatentPacking.unpack(packed, rows: 2, columns: 4).floats == latents.floats)
    }

    @Test func aDiptychComesApartAgain() {
        let source = Image(width: 16, height: 32, color: [250, 1, 2])
        let edited = Image(width: 16, height: 32, color: [3, 4, 255])
        for (panelLayout, width, height) in [(PanelLayout.beside, 32, 32), (.stacked, 16, 64)] {
            let diptych = Diptych(source: source, edited: edited, panelLayout: panelLayout)
            #expect(diptych.canvas.width == width && diptych.canvas.height == height)
            #expect(diptych.source == source && diptych.edited == edited)
            let again = Diptych(canvas: diptych.canvas, geometry: diptych.geometry)
            #expect(again.source == source && again.edited == edited)
            #expect(Diptych(editing: source, panelLayout: panelLayout).edited == source)
        }
    }
}

@Suite struct PromptTests {
    private let fields = PromptFields(
        instruction: "make the cat blue", subject: "cat", description: "a ginger cat", inputCaption: "a ginger cat.",
        outputCaption: "a blue cat.")

    @Test func fourForms() throws {
        #expect(
            try PromptForm.inContext.prompt(fields)
                == "A diptych with two side-by-side images of the same scene. On the right, the scene is exactly the same as "
                + "on the left but make the cat blue")
        #expect(try PromptForm.direct.prompt(fields) == "make the cat blue")
        #expect(
            try PromptForm.descriptive.prompt(fields)
                == "a side-by-side image of the same cat: the left depicts the original a ginger cat, while the right mirrors "
                + "the left but applies make the cat blue")
        #expect(
            try PromptForm.globalCaptions.prompt(fields) == "On the left a ginger cat. On the right a blue cat.")
    }

    @Test(arguments: PanelLayout.allCases)
    func theSentenceIsNotSaidTwice(panelLayout: PanelLayout) throws {
        let expected = PromptForm.trigger(panelLayout) + "make the cat blue"
        func prompt(_ instruction: String) throws -> String {
            try PromptForm.inContext.prompt(PromptFields(instruction: instruction), panelLayout: panelLayout)
        }
        for own in [
            PromptForm.trigger(.beside) + "make the cat blue", PromptForm.trigger(.stacked) + "make the cat blue",
            " a diptych with two side-by-side images  of the same scene. make the\ncat blue",
            "On the Right, the scene is exactly the same as on the left but make the cat blue", "make the cat blue",
        ] {
            #expect(try prompt(own) == expected, "\(own)")
            #expect(PromptForm.repeatsTrigger(own) == (own != "make the cat blue"))
        }
        // What is only alike stays as it is, spaces and all.
        let other = "on the right, the scene is  exactly the same as on the left and make the cat blue"
        #expect(try prompt(other) == PromptForm.trigger(panelLayout) + other)
        #expect(
            try PromptForm.direct.prompt(PromptFields(instruction: expected), panelLayout: panelLayout) == expected)
    }

    @Test func formsOfStackedDiptychs() throws {
        func prompt(_ form: PromptForm) throws -> String { try form.prompt(fields, panelLayout: .stacked) }
        #expect(
            try prompt(.inContext)
                == "A diptych with two vertically stacked images of the same scene. On the bottom, the scene is exactly the "
                + "same as on the top but make the cat blue")
        #expect(try prompt(.inContext).hasPrefix(PromptForm.trigger(.stacked)))
        #expect(try prompt(.direct) == "make the cat blue")
        #expect(
            try prompt(.descriptive)
                == "a vertically stacked image of the same cat: the top depicts the original a ginger cat, while the bottom "
                + "mirrors the top but applies make the cat blue")
        #expect(try prompt(.globalCaptions) == "On the top a ginger cat. On the bottom a blue cat.")
    }

    @Test func aMissingFieldIsNamed() {
        let error = #expect(throws: PromptError.self) {
            try PromptForm.globalCaptions.prompt(PromptFields(instruction: "x", inputCaption: "y"))
        }
        #expect(
            error?.description == "the prompt form 'global_captions' needs the field 'output_caption', which is missing"
        )
    }
}

@Suite struct FlowTests {
    @Test(arguments: [(28, 2048), (50, 4096), (4, 32), (10, 256)])
    func sigmasEqualTheReference(steps: Int, tokens: Int) throws {
        let expected = try SafetensorsFile(path: Fixtures.path("scheduler.safetensors"))
            .tensor("sigmas.\(steps).\(tokens)").floats
        let configuration = try PipelineFolder(path: Fixtures.path("tiny-random-fill")).loadScheduler()
        let found = FlowMatchEuler(steps: steps, tokenCount: tokens, configuration: configuration).sigmas
        #expect(found.count == expected.count)
        let error = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
        print("sigmas, \(steps) steps, \(tokens) tokens: max error \(error)")
        #expect(error <= 1e-6, "max error \(error)")
    }

    @Test func aConstantShiftAndATerminalLevel() {
        var configuration = SchedulerConfiguration()
        configuration.useDynamicShifting = false
        configuration.shift = 3
        let plain = FlowMatchEuler(steps: 2, tokenCount: 99, configuration: configuration)
        #expect(plain.sigmas == [1, 0.75, 0])
        configuration.shiftTerminal = 0.5
        #expect(FlowMatchEuler(steps: 2, tokenCount: 99, configuration: configuration).sigmas == [1, 0.5, 0])
        #expect(FlowMatchEuler(steps: 1, tokenCount: 99, configuration: configuration).sigmas == [1, 0])
    }

    @Test func theFlowLeadsFromDataToNoise() {
        let clean = Tensor([1, 2, 3, 4] as [Float], [2, 2])
        let noise = Tensor([5, 5, 5, 5] as [Float], [2, 2])
        let middle = FlowMatching.interpolate(clean, noise, time: Tensor([0, 0.5] as [Float], [2]))
        #expect(middle.floats == [1, 2, 4, 4.5])
        #expect(FlowMatching.velocity(clean, noise).floats == [4, 3, 2, 1])
    }
}
