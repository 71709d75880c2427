import DiptychData
import InContextEdit
import Testing
import Training

/// The section `data` of a run's configuration.
@Suite struct DatasetConfigurationTests {
    @Test(arguments: [
        ("data.weights=[1, 2]", "data.weights: expected 1 numbers, one for each dataset, or [], found 2"),
        ("data.weights=[1e300]", "data.weights: expected list of numbers, above 0 and at most 100, found"),
        ("data.crop_bottom=[1]", "data.crop_bottom: expected list of integers, 0 or 2 and more, found ['1']"),
        ("data.columns=[instruction]", "data.columns: expected name=column, found 'instruction'"),
        (
            "data.also=[{path: a, columns: [sorce=a]}]",
            "data.also: expected one of source, target, instruction, mask, instructions, score, mirrorable, task, subject, "
                + "description, input_caption, output_caption in the columns of dataset 2, found 'sorce' (did you mean 'source'?)"
        ),
        ("data.also=[{tasks: [a]}]", "data.also: dataset 2: expected the key 'path', found none"),
        ("data.also=[a, [b]]", "data.also: dataset 3: expected a path or a mapping with one, found ['b']"),
        (
            "data.also=more",
            "data.also: expected list of paths, or of mappings with path, columns, tasks and minimum_score, "
                + "found 'more'"
        ),
        ("data.buckets=[64x100]", "data.buckets: expected WxH, multiples of 16 up to 16384, found '64x100'"),
        ("data.buckets=[8192x8192]", "data.buckets: expected at most 65536 tokens a canvas, found '8192x8192', 524288"),
        ("data.mirror=0.5", "data.mirror: expected 0 with data.cache_latents, which encodes every pair once"),
        ("data.crop_scale=0.5", "data.crop_scale: expected 1 with data.cache_latents"),
        ("data.on_error=skp", "data.on_error: expected stop or skip, found 'skp' (did you mean 'skip'?)"),
    ])
    func valuesOfTheDataThatDoNotFit(override: String, message: String) {
        let found = configurationFaults(requiredConfiguration, [override])
        #expect(found.count == 1 && found.first?.hasPrefix("--set: \(message)") == true, "\(found)")
    }

    @Test func faultsOfADatasetOfAMixHaveTheirPlace() {
        let text = """
            base: {path: base}
            output: {folder: out}
            data:
              path: pairs
              also:
                - fine
                - path: more
                  task: [style]
                  minimum_score: high
                - columns: source=a
            """
        #expect(
            configurationFaults(text) == [
                "run.yaml:8: data.also: dataset 3: unknown key 'task' (did you mean 'tasks'?)",
                "run.yaml:9: data.also: dataset 3: minimum_score: expected number; or null, found 'high'",
                "run.yaml:10: data.also: dataset 4: columns: expected list of name=column, found 'source=a'",
                "run.yaml:10: data.also: dataset 4: expected the key 'path', found none",
            ])
    }

    @Test func datasetsOfAMixHaveTheirOwnSettings() throws {
        var run = RunConfiguration(basePath: "b", dataPath: "d", outputFolder: "o")
        run.data.columns = ["source=a", "score=s"]
        run.data.tasks = ["style"]
        run.data.minimumScore = 7
        run.data.also = ["plain", "other"]
        run.data.also[1].columns = ["target=t"]
        run.data.also[1].tasks = ["add"]
        run.data.also[1].minimumScore = .atLeast(3)
        #expect(run.reading(ofDataset: 1) == run.reading(ofDataset: 0))
        #expect(run.reading(ofDataset: 0).columns == ["source": "a", "score": "s"])
        let own = run.reading(ofDataset: 2)
        #expect(own.columns == ["target": "t"] && own.tasks == ["add"] && own.minimumScore == 3)
        run.data.also[1].minimumScore = .any
        run.data.also[1].tasks = []
        #expect(run.reading(ofDataset: 2).minimumScore == nil && run.reading(ofDataset: 2).tasks.isEmpty)
        #expect(try RunConfiguration.parse(run.yaml) == run)
    }

    @Test func aCacheForbidsAugmentation() {
        let overrides = ["data.cache=here", "data.cache_latents=false", "data.mirror=0.5", "data.crop_scale=0.9"]
        #expect(
            configurationFaults(requiredConfiguration, overrides) == [
                "--set: data.mirror: expected 0 with data.cache, which holds every pair as it is, found 0.5",
                "--set: data.crop_scale: expected 1 with data.cache, which holds every pair as it is, found 0.9",
            ])
        #expect(configurationFaults(requiredConfiguration, ["data.cache_latents=false", "data.mirror=0.5"]).isEmpty)
    }

    @Test func shapesAreArranged() throws {
        func shapes(_ data: String) throws -> ([String], PanelLayoutChoice) {
            let run = try RunConfiguration.parse(requiredConfiguration, overrides: ["data={path: pairs, \(data)}"])
            return (run.panelShapes.map(\.name), run.trainedPanelLayout)
        }
        #expect(try shapes("panel_width: 64") == (["64x512"], .beside))
        #expect(try shapes("panel_width: 64, panel_layout: stacked") == (["64x512-stacked"], .stacked))
        #expect(try shapes("panel_width: 64, panel_layout: auto") == (["64x512"], .beside))
        #expect(try shapes("panel_width: 768, panel_layout: auto") == (["768x512-stacked"], .stacked))
        let buckets = "buckets: [64x64, 96x64, 64x96]"
        #expect(try shapes(buckets) == (["64x64", "96x64", "64x96"], .beside))
        #expect(try shapes(buckets + ", panel_layout: auto") == (["64x64", "96x64-stacked", "64x96"], .auto))
        // Beside the other faults.
        #expect(
            configurationFaults(requiredConfiguration, ["data.panel_layout=below", "data.text_drop=2"]) == [
                "--set: data.panel_layout: expected beside, stacked or auto, found 'below'",
                "--set: data.text_drop: expected number, 0 to 1, found '2'",
            ])
    }
}
