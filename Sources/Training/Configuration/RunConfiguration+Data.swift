public import DiptychData
public import InContextEdit
public import Models
public import TensorCore
import TensorIO

/// What the section `data` means to the parts of a run.
extension RunConfiguration {
    /// Whether every picture is decoded before the first step.
    var checksFirst: Bool { data.onError == .stop && data.checkFirst && data.cache == nil }

    /// Every dataset, that of `data.path` first.
    public var datasetPaths: [String] { [data.path] + data.also.map(\.path) }

    /// How the pairs of a dataset are named, chosen and cut: by its own settings, and where it has none by those of all.
    public func reading(ofDataset number: Int) -> PairReading {
        var reading = PairReading()
        let own = number == 0 ? nil : data.also[number - 1]
        for entry in own?.columns ?? data.columns {
            guard let (name, column) = PairReading.column(entry) else { continue }
            reading.columns[name] = column
        }
        reading.tasks = own?.tasks ?? data.tasks
        reading.minimumScore = own?.minimumScore.map(\.bound) ?? data.minimumScore
        reading.cropBottom = data.cropBottom.isEmpty ? 0 : data.cropBottom[number]
        reading.background = data.background
        reading.allowsOutside = data.allowOutside
        reading.allowsMismatch = data.allowMismatch
        reading.leavesFaultsOut = data.onError == .skip
        return reading
    }

    /// Reads all datasets. Throws `DatasetError` with the faults of every one.
    public func openDataset() throws -> PairDataset {
        var faults: [FileError] = []
        var datasets: [PairDataset] = []
        for (number, path) in datasetPaths.enumerated() {
            do {
                datasets.append(try PairDataset(path: path, reading: reading(ofDataset: number)))
            } catch let error as DatasetError {
                faults += error.faults
            } catch let error as FileError {
                faults.append(error)
            }
        }
        if !faults.isEmpty { throw DatasetError(faults: faults) }
        return datasets.count == 1 ? datasets[0] : PairDataset(joining: datasets)
    }

    /// The shapes of diptychs.
    public var panelShapes: [DiptychGeometry] {
        let panels =
            data.buckets.isEmpty
            ? [(width: data.panelWidth, height: data.panelHeight)] : data.buckets.compactMap { Self.bucket($0) }
        return panels.map { width, height in
            DiptychGeometry(
                panelWidth: width, panelHeight: height,
                panelLayout: base.framework.framework.panelLayout(
                    data.panelLayout, panelWidth: width, panelHeight: height))
        }
    }

    /// How the diptychs of this run lie: `auto` where some are stacked and some are not.
    public var trainedPanelLayout: PanelLayoutChoice {
        // A source that is a reference lies nowhere.
        let found = Set(panelShapes.map(\.panelLayout))
        return found.count > 1 ? .auto : found == [.stacked] ? .stacked : .beside
    }

    /// What is drawn of a pair.
    public var drawOptions: DrawOptions {
        var draws = DrawOptions()
        draws.promptForm = data.promptForm
        draws.instruction = data.instruction
        draws.mirror = data.mirror
        draws.cropScale = data.cropScale
        draws.seed = UInt64(training.seed)
        return draws
    }

    /// How pairs become samples.
    public var encoderOptions: SampleEncoder.Options {
        var options = SampleEncoder.Options(
            panelWidth: data.panelWidth, panelHeight: data.panelHeight, maximumSequenceLength: data.maxSequenceLength,
            promptForm: data.promptForm, keepsSamples: data.cacheLatents)
        options.shapes = panelShapes
        options.framework = base.framework
        options.draws = drawOptions
        return options
    }

    /// What notes about the pairs depend on.
    public func noteSettings(_ tokenizers: PromptTokenizers?) -> PairNotes.Settings {
        var settings = PairNotes.Settings()
        settings.draws = drawOptions
        settings.maximumSequenceLength = data.maxSequenceLength
        settings.tokenizers = tokenizers
        return settings
    }

    /// How batches are drawn.
    public var loaderOptions: DiptychLoader.Options {
        var options = DiptychLoader.Options(
            batchSize: training.batchSize, textDrop: Float(data.textDrop), times: objective.value.times)
        options.guidance = Float(training.guidance)
        options.draws = drawOptions
        options.trimsText = data.textPadding == .trimmed
        options.skipsFaults = data.onError == .skip
        options.workers = data.workers
        options.ahead = data.prefetch
        return options
    }

    /// The order of the samples of `source`, at its beginning or at a checkpoint's place.
    public func order(of source: any SampleSource, epoch: Int = 0, position: Int = 0) throws -> EpochOrder {
        var plan = EpochPlan()
        plan.weights = data.weights
        plan.parts = source.dataset.parts
        plan.groups = try DiptychLoader.groups(of: source, loaderOptions)
        plan.batchSize = training.batchSize
        return EpochOrder(
            count: source.dataset.records.count, seed: UInt64(training.seed), shuffles: data.shuffle, plan: plan,
            epoch: epoch, position: position)
    }

    /// The cache's key for a dataset; reads pieces of the encoders' files. Throws `FileError` when one is missing.
    public func cacheKey(_ dataset: PairDataset) throws -> SampleCacheKey {
        try SampleCacheKey(
            dataset, base.parts, pipelineEncoders, encoderOptions, precision: cachePrecision)
    }

    /// The type of what a cache stores.
    public var cachePrecision: DType { data.cachePrecision.dtype }

    // MARK: Entries of lists

    /// `WxH`, both multiples of 16 up to 16384.
    static func bucket(_ entry: String) -> (width: Int, height: Int)? {
        let sides = entry.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard sides.count == 2, let width = sides[0], let height = sides[1],
            [width, height].allSatisfy({ $0 >= 16 && $0 <= 16384 && $0 % 16 == 0 })
        else { return nil }
        return (width, height)
    }

    /// What is wrong with the section's values together.
    func dataFaults() -> [(key: String, expected: String, found: String)] {
        var faults: [(key: String, expected: String, found: String)] = []
        let count = datasetPaths.count
        for (key, number) in [("weights", data.weights.count), ("crop_bottom", data.cropBottom.count)]
        where number != 0 && number != count {
            faults.append(("data.\(key)", "\(count) numbers, one for each dataset, or []", "\(number)"))
        }
        for entry in data.columns {
            if let fault = PairReading.fault(ofColumn: entry) {
                faults.append(("data.columns", fault.expected, fault.found))
            }
        }
        for (number, dataset) in data.also.enumerated() {
            for entry in dataset.columns ?? [] {
                guard let fault = PairReading.fault(ofColumn: entry) else { continue }
                faults.append(("data.also", "\(fault.expected) in the columns of dataset \(number + 2)", fault.found))
            }
        }
        for entry in data.buckets {
            guard let (width, height) = Self.bucket(entry) else {
                faults.append(("data.buckets", "WxH, multiples of 16 up to 16384", "'\(entry)'"))
                continue
            }
            let tokens = 2 * (width / DiptychGeometry.tokenSide) * (height / DiptychGeometry.tokenSide)
            if tokens > DiptychGeometry.maximumTokenCount {
                faults.append(
                    (
                        "data.buckets", "at most \(DiptychGeometry.maximumTokenCount) tokens a canvas",
                        "'\(entry)', \(tokens) tokens"
                    ))
            }
        }
        if Set(data.buckets).count < data.buckets.count {
            faults.append(("data.buckets", "each shape once", data.buckets.joined(separator: ", ")))
        }
        let keeper =
            data.cache != nil
            ? "with data.cache, which holds every pair as it is"
            : data.cacheLatents ? "with data.cache_latents, which encodes every pair once (set it to false)" : nil
        if let keeper {
            if data.mirror > 0 { faults.append(("data.mirror", "0 \(keeper)", numberText(data.mirror))) }
            if data.cropScale < 1 { faults.append(("data.crop_scale", "1 \(keeper)", numberText(data.cropScale))) }
        }
        return faults
    }
}
